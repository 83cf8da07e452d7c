import { deepEqual, ok } from 'node:assert/strict';
import type { TestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';

const ROOM = { stream_name: 'calm', group_id: 'room' };

/** An innocent worker that writes, and an innocent subscriber that watches, while a test attacks the same engine. */
export class Bystanders {
  readonly #engine: TestEngine;
  readonly #worker: RawWorker;
  readonly #subscriber: StreamSocket;
  #written = 0;

  private constructor(engine: TestEngine, worker: RawWorker, subscriber: StreamSocket) {
    this.#engine = engine;
    this.#worker = worker;
    this.#subscriber = subscriber;
  }

  static async of(engine: TestEngine): Promise<Bystanders> {
    const worker = await RawWorker.connect(engine.workerUrl);
    await worker.workerId();
    const subscriber = await StreamSocket.open(`${engine.streamUrl}/stream/calm/room`);
    await subscriber.take('sync');
    return new Bystanders(engine, worker, subscriber);
  }

  /** Checks that the next change reaches the subscriber once, that nothing else has arrived at either, and that no error was logged. */
  async undisturbed(after?: string): Promise<void> {
    const n = ++this.#written;
    const data = { id: 'm', n };
    await this.#worker.result('stream::set', { ...ROOM, item_id: 'm', data });
    await this.#subscriber.inbox.take((frame) => (frame.event.data as { n?: number }).n === n, `change ${n}`);
    await this.#subscriber.settled();
    const frames = this.#subscriber.inbox.all;
    const last = frames.at(-1);
    const owed = { type: 'stream', streamName: 'calm', groupId: 'room', id: 'm', event: { type: n === 1 ? 'create' : 'update', data } };
    deepEqual({ after, frames: frames.length, last }, { after, frames: n + 1, last: { ...owed, timestamp: last?.timestamp, offset: n } });
    ok((last?.timestamp ?? 0) > (frames.at(-2)?.timestamp ?? 0) || n === 1);
    const answers = this.#worker.inbox.all.map((frame) => frame.type);
    deepEqual({ after, answers }, { after, answers: ['workerregistered', ...Array<string>(n).fill('invocationresult')] });
    deepEqual(
      this.#engine.log.filter(({ level }) => level === 'error'),
      [],
    );
  }
}
