import { setImmediate } from 'node:timers/promises';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';

/** Outcome of each numbered value that writers sent. Values are unique, so each value that is read identifies its write. */
export interface Ledger {
  /** Acknowledged numbers of each item, in order. */
  readonly acked: Map<string, number[]>;
  /** Error code of each refused number. */
  readonly refused: Map<number, string>;
  /** The next number. */
  next: number;
}

export function newLedger(): Ledger {
  return { acked: new Map(), refused: new Map(), next: 0 };
}

/** Writers, each with a connection of its own, that write one numbered value after the other. */
export class NumberedWriters {
  readonly ledger: Ledger;
  readonly #url: string;
  readonly #bytes: number;
  #running = true;
  #done: Promise<unknown> = Promise.resolve();

  private constructor(url: string, ledger: Ledger, bytes: number) {
    this.#url = url;
    this.ledger = ledger;
    this.#bytes = bytes;
  }

  /** Starts writers. Each writes values of `bytes` bytes to items of its own in group `g` of stream `s`. */
  static begin(url: string, ledger: Ledger, writers: number, bytes: number): NumberedWriters {
    const started = new NumberedWriters(url, ledger, bytes);
    started.#done = Promise.all(Array.from({ length: writers }, (_, writer) => started.#write(writer)));
    return started;
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  async #write(writer: number): Promise<void> {
    const worker = await RawWorker.connect(this.#url);
    const { acked, refused } = this.ledger;
    const pad = 'x'.repeat(this.#bytes);
    while (this.#running) {
      const n = this.ledger.next++;
      const item = `w${writer}-${n % 40}`;
      const { error } = await worker.call('stream::set', { stream_name: 's', group_id: 'g', item_id: item, data: { n, pad } });
      if (error === undefined) acked.set(item, [...(acked.get(item) ?? []), n]);
      else refused.set(n, String((error as { code?: unknown }).code));
      worker.inbox.all.length = 0;
      await setImmediate();
    }
    await worker.close();
  }
}

/** Resolves with the stored number of each item. */
export async function storedNumbers(worker: RawWorker): Promise<Map<string, number>> {
  const rows = (await worker.result('stream::list', { stream_name: 's', group_id: 'g', with_ids: true })) as Row[];
  return new Map(rows.map(({ id, data }) => [id, data.n]));
}

interface Row {
  readonly id: string;
  readonly data: { readonly n: number };
}
