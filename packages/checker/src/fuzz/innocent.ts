import { WebSocket } from 'ws';
import { INNOCENT_TOKEN } from './hostile-worker.js';

const STREAM = 'calm';
const GROUP = 'room';
/** Number of writes that are in flight. */
const WINDOW = 16;
/** Milliseconds between an answer and the next write. */
const PAUSE_MS = 20;
/** Milliseconds within which the last acknowledged change must arrive. */
const ARRIVAL_MS = 20_000;

type Frame = Readonly<Record<string, unknown>>;

/**
 * An honest worker that writes 1, 2, 3 and so on, and an honest client that watches. Whatever hostile peers do, the client must see each
 * acknowledged number once, in order, at contiguous offsets.
 */
export class Innocent {
  readonly #worker: WebSocket;
  readonly #client: WebSocket;
  #written = 0;
  #underWay = 0;
  /** The highest acknowledged number. */
  #acknowledged = 0;
  /** Numbers that the client has not seen and whose writes have no answer yet. */
  readonly #skipped = new Set<number>();
  #seen = 0;
  #offset: number | undefined;
  #wake: () => void = () => {};
  #stopped = false;
  #paused = true;
  /** Descriptions of faults, in the order of their detection. */
  readonly faults: string[] = [];

  private constructor(worker: WebSocket, client: WebSocket) {
    this.#worker = worker;
    this.#client = client;
  }

  static async start(workerUrl: string, streamUrl: string): Promise<Innocent> {
    const worker = await open(workerUrl);
    const client = await open(`${streamUrl}/?token=${INNOCENT_TOKEN}`);
    const innocent = new Innocent(worker, client);
    await innocent.#begin();
    return innocent;
  }

  get seen(): number {
    return this.#seen;
  }

  /** Resolves when the client has seen every number that was acknowledged before the call. Adds a fault after `ARRIVAL_MS`. */
  async caughtUp(): Promise<void> {
    const owed = this.#acknowledged;
    const late = new Promise<'late'>((resolve) => setTimeout(resolve, ARRIVAL_MS, 'late').unref());
    while (this.#seen < owed && this.faults.length === 0) {
      const changed = new Promise<'changed'>((resolve) => {
        this.#wake = () => resolve('changed');
      });
      if ((await Promise.race([changed, late])) === 'late') this.faults.push(`the innocent client saw ${this.#seen} of ${owed} changes`);
    }
  }

  /** Writes until `pause` is called. */
  resume(): void {
    this.#paused = false;
    this.#write();
  }

  pause(): void {
    this.#paused = true;
  }

  close(): void {
    this.#stopped = true;
    this.#worker.terminate();
    this.#client.terminate();
  }

  async #begin(): Promise<void> {
    const synced = new Promise<void>((resolve) => {
      this.#client.on('message', (data) => {
        const frame = JSON.parse((data as Buffer).toString()) as Frame;
        const event = frame['event'] as Frame | undefined;
        if (event?.['type'] === 'sync') {
          if (this.#offset !== undefined && frame['offset'] !== this.#offset)
            this.#fault(`a sync at ${String(frame['offset'])} after ${this.#offset}`);
          this.#offset = frame['offset'] as number;
          resolve();
        } else if (event !== undefined) this.#take(frame, event);
      });
    });
    this.#client.send(
      JSON.stringify({ type: 'join', data: { subscriptionId: 'calm', streamName: STREAM, groupId: GROUP, positions: true } }),
    );
    await synced;
    this.#client.on('close', (code) => this.#fault(`the innocent client was closed with ${code}`));
    this.#worker.on('close', (code) => this.#fault(`the honest worker was closed with ${code}`));
    this.#worker.on('message', (data) => this.#answered(JSON.parse((data as Buffer).toString()) as Frame));
  }

  #take(frame: Frame, event: Frame): void {
    const { n } = (event['data'] ?? {}) as { readonly n?: unknown };
    if (typeof n !== 'number' || n <= this.#seen) return this.#fault(`the innocent client saw ${JSON.stringify(n)} after ${this.#seen}`);
    for (let missed = this.#seen + 1; missed < n; missed++) {
      if (missed <= this.#acknowledged) this.#fault(`the innocent client did not see ${missed}`);
      this.#skipped.add(missed);
    }
    if (frame['offset'] !== (this.#offset ?? 0) + 1) this.#fault(`offset ${String(frame['offset'])} came after ${this.#offset}`);
    this.#seen = n;
    this.#offset = frame['offset'] as number;
    this.#wake();
  }

  #write(): void {
    if (this.#stopped || this.#paused || this.#worker.readyState !== WebSocket.OPEN) return;
    for (; this.#underWay < WINDOW; this.#underWay++) {
      const n = ++this.#written;
      const data = { stream_name: STREAM, group_id: GROUP, item_id: 'm', data: { id: 'm', n } };
      this.#worker.send(JSON.stringify({ type: 'invokefunction', invocation_id: `calm-${n}`, function_id: 'stream::set', data }));
    }
  }

  #answered(frame: Frame): void {
    const n = Number(/^calm-(\d+)$/.exec(String(frame['invocation_id']))?.[1]);
    if (frame['type'] !== 'invocationresult' || !Number.isInteger(n)) return;
    this.#underWay--;
    const wasSkipped = this.#skipped.delete(n);
    if (frame['error'] === undefined) {
      if (wasSkipped) this.#fault(`the innocent client did not see ${n}`);
      this.#acknowledged = Math.max(this.#acknowledged, n);
    } else {
      // A store that hostile writes have filled may refuse this one.
      const { code } = frame['error'] as { readonly code?: unknown };
      if (code !== 'OVERLOADED') this.#fault(`an honest write failed with ${String(code)}`);
    }
    setTimeout(() => this.#write(), PAUSE_MS);
  }

  #fault(what: string): void {
    if (!this.#stopped && this.faults.length < 20) this.faults.push(what);
    this.#wake();
  }
}

async function open(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.on('error', () => {});
  return socket;
}
