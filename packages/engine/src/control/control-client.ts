import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ERROR_CODES, type ErrorCode, RivuletError } from '@rivulet/protocol';
import { Conversation, type Line } from './conversation.js';
import { SOCKET_NAME, socketPathIn } from './socket-path.js';

/** Resolves with a conversation with the engine that runs on a directory. Resolves with `undefined` when no engine listens there. */
export async function connectControl(directory: string): Promise<Conversation | undefined> {
  if (!existsSync(join(directory, SOCKET_NAME))) return undefined;
  const path = socketPathIn(directory);
  try {
    return await new Promise<Conversation | undefined>((resolve, reject) => {
      const socket = connect({ path: path.path });
      const failed = (error: NodeJS.ErrnoException) => {
        // A killed engine leaves the file of its socket.
        if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(undefined);
        else reject(new RivuletError('CONTROL_FAILED', `the engine at ${directory} can't be reached (${error.code ?? error.message})`));
      };
      socket.once('error', failed);
      socket.once('connect', () => {
        socket.off('error', failed);
        resolve(new Conversation(socket));
      });
    });
  } finally {
    path.close();
  }
}

/** Resolves with the next line of the engine. Rejects with the error that the line carries, if any. */
export async function receiveAnswer(conversation: Conversation, milliseconds: number): Promise<Line> {
  const line = await conversation.receive(milliseconds);
  if (typeof line.error !== 'object' || line.error === null) return line;
  const { code, message } = line.error as { readonly code?: unknown; readonly message?: unknown };
  const known = typeof code === 'string' && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'CONTROL_FAILED';
  throw new RivuletError(known, typeof message === 'string' ? message : 'the engine refused the request');
}
