import { randomUUID } from 'node:crypto';
import type { ClientOptions, WebSocket } from 'ws';
import { Mismatch, show } from './check.js';
import { Failure, type Frame, FrameWorker } from './frame-worker.js';
import { Inbox } from './inbox.js';
import { jsonOf, openSocket, within } from './peer-socket.js';

export { Failure, type Frame, type Handler } from './frame-worker.js';

/** The worker of the conformance cases. Each of its waits ends with a `Mismatch` after the patience of the run. */
export class PeerWorker extends FrameWorker<Inbox<Frame>> {
  readonly #patienceMs: number;

  private constructor(socket: WebSocket, patienceMs: number) {
    super(socket, new Inbox<Frame>(patienceMs));
    this.#patienceMs = patienceMs;
    socket.on('message', (data) => {
      this.receive(jsonOf(data)).catch((error: unknown) => socket.emit('error', error));
    });
  }

  static async connect(url: string, patienceMs: number, options: ClientOptions = {}): Promise<PeerWorker> {
    let worker: PeerWorker | undefined;
    const prepare = (socket: WebSocket) => {
      worker = new PeerWorker(socket, patienceMs);
    };
    const socket = await openSocket(url, prepare, { ...options, handshakeTimeout: patienceMs });
    return worker ?? new PeerWorker(socket, patienceMs);
  }

  /** Resolves with the next invocation of a function that this worker registered and does not serve. */
  takeCall(functionId: string): Promise<Frame> {
    return this.take('invokefunction', (frame) => frame.function_id === functionId);
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

  async register(id: string, more: Frame = {}): Promise<void> {
    this.send({ type: 'registerfunction', id, ...more });
    await this.settled();
  }

  /** Resolves when the server has handled every frame sent so far. It calls a missing function, which every listener answers. */
  async settled(): Promise<void> {
    await this.call(`conformance::nobody-serves-this::${randomUUID()}`, {});
  }

  /** Returns the calls of a function that have arrived. */
  callsOf(functionId: string): Frame[] {
    return this.inbox.all.filter((frame) => frame.type === 'invokefunction' && frame.function_id === functionId);
  }

  async drop(): Promise<void> {
    this.socket.terminate();
    await within(this.closed, this.#patienceMs, 'the end of the connection');
  }

  protected bodyOf(error: unknown): Frame {
    return error instanceof Failure ? error.body : { code: 'invocation_failed', message: String(error) };
  }
}
