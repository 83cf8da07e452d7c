import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect } from 'vitest';

/** Items of each writer. Number n goes to item n modulo this. */
const ITEMS = 40;
const STREAM = 'carried';

/** How many writes of one writer took effect. */
export interface Written {
  readonly stream: number;
  readonly state: number;
}

/**
 * Writers that each count up, one write at a time: number n goes to a stream and then to state. The stores of one moment therefore have
 * the same number for a writer, or streams have one more. Both numbers determine every item.
 */
export class AlternatingWriters {
  readonly acked: { stream: number; state: number }[];
  readonly #url: string;
  #running = true;
  #done: Promise<unknown> = Promise.resolve();
  #progress: () => void = () => {};

  private constructor(url: string, writers: number) {
    this.#url = url;
    this.acked = Array.from({ length: writers }, () => ({ stream: 0, state: 0 }));
  }

  static begin(url: string, writers: number): AlternatingWriters {
    const started = new AlternatingWriters(url, writers);
    started.#done = Promise.all(started.acked.map((_, writer) => started.#write(writer)));
    return started;
  }

  /** Resolves when each writer has this many more acknowledged writes than now. */
  async writes(more: number): Promise<void> {
    const goals = this.acked.map(({ state }) => state + more);
    while (this.acked.some(({ state }, writer) => state < (goals[writer] ?? 0))) {
      await new Promise<void>((resolve) => {
        this.#progress = resolve;
      });
    }
  }

  /** Returns the acknowledged numbers of all writers. */
  now(): readonly Written[] {
    return this.acked.map((each) => ({ ...each }));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  async #write(writer: number): Promise<void> {
    const worker = await RawWorker.connect(this.#url);
    const acked = this.acked[writer];
    if (acked === undefined) return;
    const name = `w${writer}`;
    let n = 0;
    while (this.#running) {
      n++;
      await worker.result('stream::set', { stream_name: STREAM, group_id: name, item_id: itemOf(n), data: valueOf(n) });
      acked.stream = n;
      await worker.result('state::set', { scope: name, key: itemOf(n), value: valueOf(n) });
      acked.state = n;
      worker.inbox.all.length = 0;
      this.#progress();
    }
    await worker.close();
  }
}

/** Requires that an engine has exactly the items of one moment between `before` and `after`. */
export async function expectOneMoment(url: string, before: readonly Written[], after: readonly Written[]): Promise<void> {
  const worker = await RawWorker.connect(url);
  for (const [writer, least] of before.entries()) {
    const name = `w${writer}`;
    const items = (await worker.result('stream::list', { stream_name: STREAM, group_id: name })) as { n: number }[];
    const values = (await worker.result('state::list', { scope: name })) as { n: number }[];
    const found = { stream: highest(items), state: highest(values) };
    // A write may have taken effect, and its answer may still be on its way.
    const most = after[writer] ?? least;
    expect(found.stream).toBeGreaterThanOrEqual(least.stream);
    expect(found.state).toBeGreaterThanOrEqual(least.state);
    expect(found.stream).toBeLessThanOrEqual(most.stream + 1);
    expect([found.stream, found.stream - 1]).toContain(found.state);
    expect(sorted(items)).toEqual(expected(found.stream));
    expect(sorted(values)).toEqual(expected(found.state));
  }
  await worker.close();
}

const itemOf = (n: number) => `i${n % ITEMS}`;
const valueOf = (n: number) => ({ n, pad: 'x'.repeat(n % 300) });
const highest = (values: readonly { readonly n: number }[]) => Math.max(0, ...values.map(({ n }) => n));
const sorted = (values: readonly { readonly n: number }[]) => values.toSorted((a, b) => a.n - b.n);
const expected = (last: number) =>
  Array.from({ length: Math.min(last, ITEMS) }, (_, index) => valueOf(last - index)).toSorted((a, b) => a.n - b.n);
