import { Failure, type Frame, FrameWorker } from '@rivulet/conformance/frame-worker';
import { onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { Inbox } from '../inbox.js';

export { Failure as WorkerError, type Frame } from '@rivulet/conformance/frame-worker';

/** The worker of the tests. It ends with its test. */
export class RawWorker extends FrameWorker<Inbox<Frame>> {
  private constructor(socket: WebSocket) {
    super(socket, new Inbox<Frame>());
    socket.on('error', () => {});
    socket.on('message', (data) => void this.receive(JSON.parse((data as Buffer).toString()) as Frame));
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

  sendText(text: string): void {
    this.socket.send(text);
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

  /** Resolves when the engine has handled every frame sent so far, because it handles them in order. */
  async settled(): Promise<void> {
    await this.call('engine::health::check', {});
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

  /** A handler throws a `WorkerError` to fail its call. Any other error is a mistake of the test, which then fails. */
  protected bodyOf(error: unknown): Frame {
    if (error instanceof Failure) return error.body;
    throw error;
  }
}
