import type { StreamSocket } from './stream-socket.js';

/** The answer to a call: the type of its frame, and its data without the id. */
export type CallAnswer = Readonly<Record<string, unknown>>;

let calls = 0;

/** Calls a function and resolves with the answer. `more` are further members of the call. */
export async function callFunction(client: StreamSocket, functionId: string, data: unknown, more: object = {}): Promise<CallAnswer> {
  const callId = `c${++calls}`;
  client.send({ type: 'call', data: { callId, functionId, data, ...more } });
  return answerOf(client, callId);
}

/** Resolves with the answer to a call. */
export async function answerOf(client: StreamSocket, callId: string): Promise<CallAnswer> {
  const { type, data } = await client.inbox.take(({ data: given }) => given?.callId === callId, `the answer of ${callId}`);
  const { callId: _, ...rest } = data ?? {};
  return { type, ...rest };
}
