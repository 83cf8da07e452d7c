import { randomUUID } from 'node:crypto';
import type { ClientOptions, WebSocket } from 'ws';
import { Mismatch, show } from './check.js';
import { Inbox } from './inbox.js';
import { type Closing, jsonOf, openSocket, within } from './peer-socket.js';

export type Frame = Readonly<Record<string, unknown>>;
export type Handler = (data: unknown, frame: Frame) => unknown;

/** A handler throws it to fail a call: the body becomes the error without a change. */
export class Failure extends Error {
  readonly body: Frame;

  constructor(body: Frame) {
    super(String(body.code));
    this.body = body;
  }
}

/** A worker on a plain WebSocket, without a client library. It sends the frames of a case and keeps every frame that arrives. */
export class PeerWorker {
  readonly socket: WebSocket;
  readonly inbox: Inbox<Frame>;
  readonly closed: Promise<Closing>;
  readonly #patienceMs: number;
  readonly #handlers: Map<string, Handler>;

  private constructor(
    socket: WebSocket,
    inbox: Inbox<Frame>,
    closed: Promise<Closing>,
    handlers: Map<string, Handler>,
    patienceMs: number,
  ) {
    this.socket = socket;
    this.inbox = inbox;
    this.closed = closed;
    this.#handlers = handlers;
    this.#patienceMs = patienceMs;
  }

  static async connect(url: string, patienceMs: number, options: ClientOptions = {}): Promise<PeerWorker> {
    const inbox = new Inbox<Frame>(patienceMs);
    const handlers = new Map<string, Handler>();
    let closed: Promise<Closing> | undefined;
    const socket = await openSocket(
      url,
      (made) => {
        closed = new Promise((resolve) => made.once('close', (code, reason) => resolve({ code, reason: reason.toString() })));
        made.on('message', (data) => {
          const frame = jsonOf(data);
          inbox.push(frame);
          const handler = frame.type === 'invokefunction' ? handlers.get(String(frame.function_id)) : undefined;
          if (handler !== undefined) answer(made, handler, frame).catch((error: unknown) => made.emit('error', error));
        });
      },
      { ...options, handshakeTimeout: patienceMs },
    );
    return new PeerWorker(socket, inbox, closed ?? Promise.reject(new Error('never')), handlers, patienceMs);
  }

  send(frame: Frame): void {
    this.socket.send(JSON.stringify(frame));
  }

  take(type: string, also: (frame: Frame) => boolean = () => true): Promise<Frame> {
    return this.inbox.take((frame) => frame.type === type && also(frame), `a frame "${type}"`);
  }

  /** Resolves with the next invocation of a function that this worker registered and does not serve. */
  takeCall(functionId: string): Promise<Frame> {
    return this.take('invokefunction', (frame) => frame.function_id === functionId);
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

  void(functionId: string, data: unknown): void {
    this.send({ type: 'invokefunction', function_id: functionId, data, action: { type: 'void' } });
  }

  /** Resolves with the result of a call. Rejects with a `Mismatch` when the call fails. */
  async result(functionId: string, data: unknown): Promise<unknown> {
    const answer = await this.call(functionId, data);
    if (answer.error !== undefined) throw new Mismatch(`${functionId} succeeds`, 'a result', `the error ${show(answer.error)}`);
    return answer.result;
  }

  /** Resolves with the error of a call. Rejects with a `Mismatch` when the call succeeds. */
  async errorOf(functionId: string, data: unknown, more: Frame = {}): Promise<Frame> {
    const answer = await this.call(functionId, data, more);
    if (typeof answer.error !== 'object' || answer.error === null)
      throw new Mismatch(`${functionId} fails`, 'an error', `the answer ${show(answer)}`);
    return answer.error as Frame;
  }

  /** Registers a function and answers its calls. */
  async serve(id: string, handler: Handler, more: Frame = {}): Promise<void> {
    this.#handlers.set(id, handler);
    this.send({ type: 'registerfunction', id, ...more });
    await this.settled();
  }

  async register(id: string, more: Frame = {}): Promise<void> {
    this.send({ type: 'registerfunction', id, ...more });
    await this.settled();
  }

  /** Binds a trigger. Resolves with its id. */
  async bind(type: string, functionId: string, config?: unknown, more: Frame = {}): Promise<string> {
    const id = randomUUID();
    this.send({ type: 'registertrigger', id, trigger_type: type, function_id: functionId, config, ...more });
    await this.settled();
    return id;
  }

  /** Resolves when the server has handled every frame sent so far. It calls a missing function, which every listener answers. */
  async settled(): Promise<void> {
    await this.call(`conformance::nobody-serves-this::${randomUUID()}`, {});
  }

  async registration(): Promise<Frame> {
    return this.inbox.all.find((each) => each.type === 'workerregistered') ?? this.take('workerregistered');
  }

  async workerId(): Promise<string> {
    return String((await this.registration()).worker_id);
  }

  /** Returns the calls of a function that have arrived. */
  callsOf(functionId: string): Frame[] {
    return this.inbox.all.filter((frame) => frame.type === 'invokefunction' && frame.function_id === functionId);
  }

  async drop(): Promise<void> {
    this.socket.terminate();
    await within(this.closed, this.#patienceMs, 'the end of the connection');
  }
}

async function answer(socket: WebSocket, handler: Handler, { invocation_id, function_id, ...frame }: Frame): Promise<void> {
  const reply = (body: Frame) => socket.send(JSON.stringify({ type: 'invocationresult', invocation_id, function_id, ...body }), () => {});
  try {
    reply({ result: await handler(frame.data, { invocation_id, function_id, ...frame }) });
  } catch (error) {
    reply({ error: error instanceof Failure ? error.body : { code: 'invocation_failed', message: String(error) } });
  }
}
