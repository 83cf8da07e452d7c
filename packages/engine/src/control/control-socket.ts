import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { LIMITS, RivuletError } from '@rivulet/protocol';
import { runInBackground } from '../logging/background.js';
import type { Logger } from '../logging/logger.js';
import { Conversation, type Line } from './conversation.js';
import { SOCKET_NAME, type SocketPath, socketPathIn } from './socket-path.js';

/** Milliseconds in which the first line must come. */
const FIRST_LINE_MS = 5_000;

/** Holds one conversation. `request` is its first line. A thrown error is sent to the peer; the server then ends the conversation. */
export type ControlOperation = (request: Line, conversation: Conversation) => Promise<void>;

export interface ControlSocketOptions {
  /** A directory that this process has locked. */
  readonly directory: string;
  /** Operations by the name that the member `op` of the first line has. */
  readonly operations: Readonly<Record<string, ControlOperation>>;
  readonly logger: Logger;
}

/**
 * The Unix socket by which tools of the same user speak with a running engine. It has mode 0600 and lies in the data directory. Each
 * connection is one conversation. Its first line names an operation: `{"op":"backup"}`. An answer with `error` ends it.
 */
export class ControlSocket {
  readonly #options: ControlSocketOptions;
  readonly #conversations = new Set<Conversation>();
  readonly #running = new Set<Promise<void>>();
  #server: Server | undefined;
  #path: SocketPath | undefined;

  constructor(options: ControlSocketOptions) {
    this.#options = options;
  }

  /** Opens the socket. A directory that can hold no socket costs the tools only: a warning says so. */
  async open(): Promise<void> {
    const { directory, logger } = this.#options;
    try {
      // The lock of the directory is held, so this file is left from a process that was killed.
      rmSync(join(directory, SOCKET_NAME), { force: true });
      this.#path = socketPathIn(directory);
      const { path } = this.#path;
      const server = createServer((socket) => this.#accept(socket));
      server.on('error', (error) => logger.warn('control_socket_failed', { directory, error: error.message }));
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ path }, () => {
          server.off('error', reject);
          resolve();
        });
        chmodSync(path, 0o600);
      });
      server.unref();
      this.#server = server;
    } catch (error) {
      this.#path?.close();
      this.#path = undefined;
      const consequence = 'tools such as rivulet backup cannot reach this engine; the data is not affected';
      logger.warn('control_socket_failed', { directory, error: error instanceof Error ? error.message : String(error), consequence });
    }
  }

  /** Cuts all conversations off, waits for the end of their operations, and removes the socket. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const conversation of this.#conversations) conversation.cut();
    await Promise.all(this.#running);
    if (server !== undefined) {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    }
    this.#path?.close();
    this.#path = undefined;
  }

  #accept(socket: Socket): void {
    const conversation = new Conversation(socket);
    if (this.#server === undefined || this.#conversations.size >= LIMITS.controlConversations) {
      conversation.send(errorLine(new RivuletError('OVERLOADED', 'too many tools are connected to this engine; wait until one has ended')));
      conversation.end();
      return;
    }
    this.#conversations.add(conversation);
    const running = this.#hold(conversation).finally(() => {
      this.#conversations.delete(conversation);
      this.#running.delete(running);
    });
    this.#running.add(running);
    runInBackground(running, this.#options.logger, 'control_conversation');
  }

  async #hold(conversation: Conversation): Promise<void> {
    try {
      const request = await conversation.receive(FIRST_LINE_MS);
      const { operations } = this.#options;
      const operation = typeof request.op === 'string' && Object.hasOwn(operations, request.op) ? operations[request.op] : undefined;
      if (operation === undefined)
        throw new RivuletError('NOT_FOUND', 'this engine has no such operation; use its own version of the command');
      await operation(request, conversation);
    } catch (error) {
      if (!(error instanceof RivuletError)) {
        this.#options.logger.error('control_operation_failed', {
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        });
      }
      const known = error instanceof RivuletError ? error : new RivuletError('INTERNAL_ERROR', 'the engine failed; its log says why');
      conversation.send(errorLine(known));
    } finally {
      conversation.end();
    }
  }
}

function errorLine(error: RivuletError): Line {
  return { error: { code: error.code, message: error.message } };
}
