import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { Inbox } from '../inbox.js';

export type Frame = Readonly<Record<string, unknown>>;

/** An error that a function under test throws. Its body is sent unchanged. */
export class WorkerError extends Error {
  readonly body: Frame;

  constructor(body: Frame) {
    super(String(body.code));
    this.body = body;
  }
}

/** A worker on a bare WebSocket. It sends exactly what a test passes to it, and keeps every frame that it receives. */
export class RawWorker {
  readonly socket: WebSocket;
  readonly inbox = new Inbox<Frame>();
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  #handlers = new Map<string, (data: unknown, frame: Frame) => unknown>();

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })));
    socket.on('error', () => {});
    socket.on('message', (data) => this.#receive(JSON.parse((data as Buffer).toString()) as Frame));
  }

  static async connect(url: string, options: ClientOptions = {}): Promise<RawWorker> {
    const socket = new WebSocket(url, { perMessageDeflate: false, ...options });
    const worker = new RawWorker(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('error', reject);
      socket.once('unexpected-response', (_request, response) => reject(new Error(`HTTP ${response.statusCode}`)));
    });
    onTestFinished(() => socket.terminate());
    return worker;
  }

  send(frame: Frame): void {
    this.socket.send(JSON.stringify(frame));
  }

  sendText(text: string): void {
    this.socket.send(text);
  }

  take(type: string, also: (frame: Frame) => boolean = () => true): Promise<Frame> {
    return this.inbox.take((frame) => frame.type === type && also(frame), `a ${type} frame`);
  }

  /** Sends a call and resolves with its `invocationresult`. */
  async call(functionId: string, data: unknown, more: Frame = {}): Promise<Frame> {
    const id = randomUUID();
    this.send({ type: 'invokefunction', invocation_id: id, function_id: functionId, data, ...more });
    return this.take('invocationresult', (frame) => frame.invocation_id === id);
  }

  /** Resolves with the result of a call that must succeed. */
  async result(functionId: string, data: unknown): Promise<unknown> {
    const answer = await this.call(functionId, data);
    if (answer.error !== undefined) throw new Error(`${functionId} failed: ${JSON.stringify(answer.error)}`);
    return answer.result;
  }

  async errorCode(functionId: string, data: unknown, more: Frame = {}): Promise<unknown> {
    const answer = await this.call(functionId, data, more);
    return (answer.error as { code?: unknown } | undefined)?.code;
  }

  /**
   * Registers a function and answers calls of it. A `WorkerError` that the handler throws becomes the error of the call. Resolves when the
   * engine has handled the registration.
   */
  async serve(id: string, handler: (data: unknown, frame: Frame) => unknown, more: Frame = {}): Promise<void> {
    this.#handlers.set(id, handler);
    this.send({ type: 'registerfunction', id, ...more });
    await this.settled();
  }

  /** Binds a trigger and resolves with its id when the engine has handled the registration. */
  async bind(type: string, functionId: string, config?: unknown, more: Frame = {}): Promise<string> {
    const id = randomUUID();
    this.send({ type: 'registertrigger', id, trigger_type: type, function_id: functionId, config, ...more });
    await this.settled();
    return id;
  }

  /** Resolves when the engine has handled every frame sent so far, because it handles them in order. */
  async settled(): Promise<void> {
    await this.call('engine::health::check', {});
  }

  async workerId(): Promise<string> {
    const frame = this.inbox.all.find((each) => each.type === 'workerregistered') ?? (await this.take('workerregistered'));
    return String(frame.worker_id);
  }

  async close(): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }

  /** Drops the connection. Resolves when the engine has notified `observer` that this worker is disconnected. */
  async closeSeenBy(observer: RawWorker): Promise<void> {
    const id = await this.workerId();
    await observer.serve('test::workers-changed', () => undefined);
    await observer.bind('engine::workers-available', 'test::workers-changed', {});
    await this.close();
    await observer.take('invokefunction', ({ data }) => {
      const event = data as Frame | null;
      return event?.event === 'worker_disconnected' && event.worker_id === id;
    });
  }

  #receive(frame: Frame): void {
    this.inbox.push(frame);
    if (frame.type !== 'invokefunction') return;
    const handler = this.#handlers.get(String(frame.function_id));
    if (handler !== undefined) void this.#answer(handler, frame);
  }

  async #answer(handler: (data: unknown, frame: Frame) => unknown, frame: Frame): Promise<void> {
    const { invocation_id, function_id } = frame;
    try {
      const result = await handler(frame.data, frame);
      this.send({ type: 'invocationresult', invocation_id, function_id, result });
    } catch (error) {
      if (!(error instanceof WorkerError)) throw error;
      this.send({ type: 'invocationresult', invocation_id, function_id, error: error.body });
    }
  }
}
