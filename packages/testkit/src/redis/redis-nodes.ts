import { randomUUID } from 'node:crypto';
import type { RedisStoreOptions } from '@rivulet/engine/stores';
import { expect } from 'vitest';
import { startTestEngine } from '../engines/engine.js';
import { Inbox } from '../inbox.js';
import { RawWorker } from '../peers/raw-worker.js';
import { type StreamFrame, StreamSocket } from '../peers/stream-socket.js';

export const ROOM = { stream_name: 'chat', group_id: 'room' };
export const ROOM_PATH = '/stream/chat/room';

/** The Redis that an engine uses. */
export interface Where {
  readonly url: string;
  readonly servers?: Exclude<RedisStoreOptions['servers'], { kind: 'single' }>;
}

/** An engine over a Redis, and a worker that is connected to it. */
export interface Node {
  readonly streamUrl: string;
  readonly worker: RawWorker;
  readonly set: (item_id: string, data?: unknown) => Promise<unknown>;
  /** Sets an item. Resolves with the error code when the call fails. */
  readonly trySet: (item_id: string, data?: unknown) => Promise<unknown>;
  readonly stop: () => Promise<void>;
}

export async function startNode({ url, servers }: Where, keyPrefix: string, commandTimeoutMs = 2_000): Promise<Node> {
  const adapter = (of: string) =>
    ({
      kind: 'redis',
      url,
      ...(servers && { servers }),
      keyPrefix: `${keyPrefix}:${of}`,
      commandTimeoutMs,
      connectTimeoutMs: 5_000,
    }) as const;
  const { workerUrl, streamUrl, stop } = await startTestEngine({
    stream: { adapter: adapter('streams') },
    state: { adapter: adapter('state') },
  });
  const worker = await RawWorker.connect(workerUrl);
  const set = (item_id: string, data: unknown = { id: item_id }) => worker.result('stream::set', { ...ROOM, item_id, data });
  const trySet = (item_id: string, data: unknown = { id: item_id }) => worker.errorCode('stream::set', { ...ROOM, item_id, data });
  return { streamUrl, worker, set, trySet, stop };
}

/** Starts two engines that share one Redis. */
export async function startPair(where: Where): Promise<readonly [Node, Node]> {
  const prefix = `test-${randomUUID()}`;
  return [await startNode(where, prefix), await startNode(where, prefix)];
}

export function changesOf(client: StreamSocket): StreamFrame[] {
  return client.inbox.all.filter((frame) => frame.event !== undefined && frame.event.type !== 'sync');
}

export async function watchRoom({ streamUrl }: { readonly streamUrl: string }): Promise<StreamSocket> {
  const client = await StreamSocket.open(`${streamUrl}${ROOM_PATH}`);
  await client.take('sync');
  return client;
}

/** Input of a function that a trigger calls. */
export interface Fired {
  readonly id?: string | null;
  readonly event?: { readonly data?: { readonly n?: number } };
  readonly new_value?: unknown;
}

export const numberOf = ({ event }: Fired) => event?.data?.n;

/** Binds a new function of the worker to a trigger. Returns the inbox of its inputs. */
export async function bound(worker: RawWorker, type: string, config: Record<string, unknown>): Promise<Inbox<Fired>> {
  const events = new Inbox<Fired>();
  const id = `app::fired-${randomUUID()}`;
  await worker.serve(id, (data) => events.push(data as Fired));
  await worker.bind(type, id, config);
  return events;
}

/**
 * Changes an item through `a`, then through `b`. Resolves with undefined if a trigger at `b` received both changes, otherwise with an error
 * code.
 */
export async function seenBy(events: Inbox<Fired>, a: Node, b: Node): Promise<string | undefined> {
  await a.set('probe');
  // The trigger receives this change after the first one, so the first one is missing if only one arrives.
  await b.set('probe');
  return events.all.length > 1 ? undefined : 'STORE_UNAVAILABLE';
}

/** Retries a call until it succeeds, as a client does. Fails if an attempt fails with another code than unavailable. */
export async function again(call: () => Promise<unknown>): Promise<void> {
  for (let code = await call(); code !== undefined; code = await call()) expect(code).toBe('STORE_UNAVAILABLE');
}
