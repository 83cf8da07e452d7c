import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '@rivulet/testkit/random';
import { WebSocket } from 'ws';

/** Writes that may be unanswered at the same time. */
const MOST_OPEN = 64;
const ITEMS = 12;

/** Writes to groups over one worker connection: items, deletes, events and batches. It knows the state that they make. */
export class GroupWriter {
  readonly items: Record<string, Record<string, unknown>> = {};
  /** Offset of the last change of each group. */
  readonly offsets: Record<string, number> = {};
  readonly #socket: WebSocket;
  readonly #random: Random;
  readonly #open = new Map<string, (answer: { readonly error?: unknown }) => void>();
  #written = 0;

  private constructor(socket: WebSocket, random: Random) {
    this.#socket = socket;
    this.#random = random;
    socket.on('message', (data) => {
      // oxlint-disable-next-line eslint/no-restricted-properties -- written by the engine
      const frame = JSON.parse((data as Buffer).toString()) as {
        readonly type: string;
        readonly invocation_id?: string;
        readonly error?: unknown;
      };
      if (frame.type === 'invocationresult') this.#open.get(frame.invocation_id ?? '')?.(frame);
    });
  }

  static async connect(port: number, random: Random): Promise<GroupWriter> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return new GroupWriter(socket, random);
  }

  close(): void {
    this.#socket.terminate();
  }

  /** Makes this number of writes to each group, in a random order. `rate`: writes in a second. */
  async write(groups: readonly string[], times: number, rate: number): Promise<void> {
    const order = groups.flatMap((group) => Array.from({ length: times }, () => group));
    const began = performance.now();
    const answers: Promise<void>[] = [];
    for (let left = order.length; left > 0; left--) {
      const [group] = order.splice(this.#random.below(left), 1);
      answers.push(this.#change(group as string));
      const early = (answers.length * 1_000) / rate - (performance.now() - began);
      if (early > 1) await pause(early);
      while (this.#open.size >= MOST_OPEN) await pause(1);
    }
    await Promise.all(answers);
  }

  async #change(path: string): Promise<void> {
    const random = this.#random;
    const [stream_name, group_id] = path.split('/');
    const of = { stream_name, group_id };
    this.items[path] ??= {};
    const items = this.items[path];
    const draw = random.below(100);
    let offsets = 1;
    const set = () => {
      const item_id = `i${random.below(ITEMS)}`;
      items[item_id] = { n: ++this.#written, text: 'x'.repeat(random.below(200)) };
      return { item_id, data: items[item_id] };
    };
    let answer: { readonly error?: unknown };
    if (draw < 60) answer = await this.#call('stream::set', { ...of, ...set() });
    else if (draw < 80) {
      offsets = random.between(2, 4);
      const writes = Array.from({ length: offsets }, () => ({ type: 'set', ...set() }));
      answer = await this.#call('stream::batch', { ...of, writes });
    } else if (draw < 92) answer = await this.#call('stream::send', { ...of, type: 'note', data: { n: ++this.#written } });
    else {
      const [item_id] = Object.keys(items);
      if (item_id === undefined) return this.#change(path);
      delete items[item_id];
      answer = await this.#call('stream::delete', { ...of, item_id });
    }
    if (answer.error !== undefined) throw new Error(`a write to ${path} failed: ${JSON.stringify(answer.error)}`);
    this.offsets[path] = (this.offsets[path] ?? 0) + offsets;
  }

  #call(function_id: string, data: unknown): Promise<{ readonly error?: unknown }> {
    const invocation_id = `w${this.#open.size}.${++this.#written}`;
    return new Promise((resolve) => {
      this.#open.set(invocation_id, (answer) => {
        this.#open.delete(invocation_id);
        resolve(answer);
      });
      this.#socket.send(JSON.stringify({ type: 'invokefunction', invocation_id, function_id, data }));
    });
  }
}
