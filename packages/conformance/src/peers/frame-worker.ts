import { randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';

export type Frame = Readonly<Record<string, unknown>>;
export type Handler = (data: unknown, frame: Frame) => unknown;

/** A handler throws it to fail a call. The body becomes the error of the call, unchanged. */
export class Failure extends Error {
  readonly body: Frame;

  constructor(body: Frame) {
    super(String(body.code));
    this.body = body;
  }
}

/** Keeps the frames of a worker and resolves with the ones that a caller waits for. */
interface FrameInbox {
  readonly all: readonly Frame[];
  push(frame: Frame): void;
  take(wanted: (frame: Frame) => boolean, what: string): Promise<Frame>;
}

/**
 * A worker on a plain WebSocket, without a client library. It sends exactly the frames that it is given, and keeps every frame that
 * arrives.
 */
export abstract class FrameWorker<Inbox extends FrameInbox> {
  readonly socket: WebSocket;
  readonly inbox: Inbox;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #handlers = new Map<string, Handler>();

  /** The socket must not be open yet, or the worker misses its first frames. */
  protected constructor(socket: WebSocket, inbox: Inbox) {
    this.socket = socket;
    this.inbox = inbox;
    this.closed = new Promise((resolve) => socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })));
  }

  /** Resolves when the server has handled every frame that was sent before. */
  abstract settled(): Promise<void>;

  /** Returns the error of a call whose handler threw. Throws if the handler was not meant to throw this. */
  protected abstract bodyOf(error: unknown): Frame;

  send(frame: Frame): void {
    this.socket.send(JSON.stringify(frame));
  }

  take(type: string, also: (frame: Frame) => boolean = () => true): Promise<Frame> {
    return this.inbox.take((frame) => frame.type === type && also(frame), `a frame "${type}"`);
  }

  /** Sends a call. Resolves with its `invocationresult`. */
  call(functionId: string, data: unknown, more: Frame = {}): Promise<Frame> {
    const id = randomUUID();
    this.send({ type: 'invokefunction', invocation_id: id, function_id: functionId, data, ...more });
    return this.inbox.take(
      (frame) => frame.type === 'invocationresult' && frame.invocation_id === id,
      `the result of a call of ${functionId}`,
    );
  }

  /** Registers a function and answers its calls. Resolves when the server has handled the registration. */
  async serve(id: string, handler: Handler, more: Frame = {}): Promise<void> {
    this.#handlers.set(id, handler);
    this.send({ type: 'registerfunction', id, ...more });
    await this.settled();
  }

  /** Binds a trigger. Resolves with its id when the server has handled the registration. */
  async bind(type: string, functionId: string, config?: unknown, more: Frame = {}): Promise<string> {
    const id = randomUUID();
    this.send({ type: 'registertrigger', id, trigger_type: type, function_id: functionId, config, ...more });
    await this.settled();
    return id;
  }

  async registration(): Promise<Frame> {
    return this.inbox.all.find((each) => each.type === 'workerregistered') ?? this.take('workerregistered');
  }

  async workerId(): Promise<string> {
    return String((await this.registration()).worker_id);
  }

  /** Keeps a frame, and answers it if it calls a function that this worker serves. */
  protected async receive(frame: Frame): Promise<void> {
    this.inbox.push(frame);
    const handler = frame.type === 'invokefunction' ? this.#handlers.get(String(frame.function_id)) : undefined;
    if (handler === undefined) return;
    const { invocation_id, function_id } = frame;
    // The connection may end while the handler works. Nobody waits for the answer then.
    const reply = (body: Frame) =>
      this.socket.send(JSON.stringify({ type: 'invocationresult', invocation_id, function_id, ...body }), () => {});
    try {
      reply({ result: await handler(frame.data, frame) });
    } catch (error) {
      reply({ error: this.bodyOf(error) });
    }
  }
}
