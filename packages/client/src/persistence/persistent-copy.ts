import type { Clock } from '../connection/clock.js';
import type { Item } from '../subscription/mirror.js';
import type { Journal, Replica } from '../subscription/replica.js';
import type { PersistBatch, PersistedHead, PersistedItem, PersistStore } from './persist-store.js';

const VERSION = 1;
/** Milliseconds from a change to its save. Changes in between are saved with it. */
const SAVE_AFTER_MS = 1_000;
/** Milliseconds after a save in which the page that saved counts as alive. */
const OTHER_ALIVE_MS = 10_000;
/** Milliseconds for which reading the copy may delay the join. */
const LOAD_MS = 2_000;

/** The bounds of the copy of one target. A larger target is not kept at all. */
export interface PersistBounds {
  /** The most items. */
  readonly items: number;
  /** The most UTF-16 code units of all values as JSON. */
  readonly chars: number;
}

/**
 * Saves the state of a replica. It makes one save at a time, and each save is a state that was true at one position.
 *
 * Several pages may show the same target. One of them saves. Another page takes over when that page has not saved for `OTHER_ALIVE_MS`.
 */
export class PersistentCopy implements Journal {
  readonly #store: PersistStore;
  readonly #key: string;
  readonly #replica: Replica;
  readonly #clock: Clock;
  readonly #bounds: PersistBounds;
  readonly #failed: (cause: unknown) => void;
  readonly #writer = `${Date.now()}.${Math.random()}`;
  /** The length of each saved item, as far as this page knows. */
  readonly #lengths = new Map<string, number>();
  #chars = 0;
  /** The items that changed since the last save. */
  #dirty = new Set<string>();
  /** The next save replaces the whole record. */
  #whole = true;
  /** The target is too large. Nothing is saved until all items are replaced. */
  #tooLarge = false;
  #timer: unknown;
  #saving: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(store: PersistStore, key: string, replica: Replica, clock: Clock, bounds: PersistBounds, failed: (cause: unknown) => void) {
    this.#store = store;
    this.#key = key;
    this.#replica = replica;
    this.#clock = clock;
    this.#bounds = bounds;
    this.#failed = failed;
  }

  /**
   * Fills the replica from the store, and saves its changes from then on. A record that can't be used is discarded and reported. Takes at
   * most `LOAD_MS`, and never rejects.
   */
  async restore(): Promise<void> {
    let timer: unknown;
    const late = new Promise<undefined>((resolve) => {
      timer = this.#clock.setTimer(() => resolve(undefined), LOAD_MS);
    });
    try {
      const record = await Promise.race([this.#store.load(this.#key), late]);
      const kept = record === undefined || this.#stopped ? undefined : readRecord(record);
      if (kept === 'unusable') {
        this.#failed(new Error('the record is of another layout, or damaged'));
        await this.#store.discard(this.#key);
      } else if (kept !== undefined && !this.#replica.known) {
        this.#replica.replace(kept.items, { epoch: kept.head.epoch, offset: kept.head.offset }, 'restored');
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#clock.clearTimer(timer);
    }
    if (!this.#stopped) this.#replica.journal = this;
  }

  replaced(): void {
    this.#whole = true;
    this.#tooLarge = false;
    this.#later(SAVE_AFTER_MS);
  }

  changed(id: string): void {
    if (!this.#whole) this.#dirty.add(id);
  }

  moved(): void {
    if (!this.#tooLarge) this.#later(SAVE_AFTER_MS);
  }

  /** Makes the last save and ends. */
  async close(): Promise<void> {
    if (this.#stopped) return this.#saving;
    this.#stop();
    this.#save();
    await this.#saving;
  }

  /** Deletes the record and ends, because the client may not watch the target any more. */
  forget(): void {
    this.#stop();
    this.#saving = this.#saving.then(() => this.#store.discard(this.#key)).catch(this.#failed);
  }

  #stop(): void {
    this.#stopped = true;
    this.#replica.journal = undefined;
    this.#clock.clearTimer(this.#timer);
  }

  #later(ms: number): void {
    if (this.#stopped) return;
    this.#timer ??= this.#clock.setTimer(() => {
      this.#timer = undefined;
      this.#save();
    }, ms);
  }

  #save(): void {
    this.#saving = this.#saving.then(async () => {
      // The batch is taken in one turn, so it is the state of one position.
      const batch = this.#take();
      if (batch === undefined) return;
      const saved = await this.#store.save(this.#key, batch, (kept) => mayWrite(kept, batch));
      if (saved) return;
      this.#whole = true;
      this.#later(OTHER_ALIVE_MS);
    });
    this.#saving = this.#saving.catch((error: unknown) => {
      this.#whole = true;
      this.#failed(error);
    });
  }

  #take(): PersistBatch | undefined {
    const { position, mirror } = this.#replica;
    if (position === undefined) return undefined;
    const whole = this.#whole;
    const dirty = this.#dirty;
    this.#dirty = new Set();
    if (whole) {
      this.#lengths.clear();
      this.#chars = 0;
    }
    const fits = mirror.size <= this.#bounds.items;
    const puts: PersistedItem[] = [];
    const removes: string[] = [];
    for (const id of !fits ? [] : whole ? mirror.items.map((item) => item.id) : dirty) {
      const item = mirror.get(id);
      const text = item === undefined ? undefined : JSON.stringify(item.data);
      this.#measure(id, text?.length);
      if (item === undefined || text === undefined) removes.push(id);
      else puts.push({ id, created: item.created, offset: item.offset, text });
    }
    const head = { version: VERSION, writer: this.#writer, epoch: position.epoch, offset: position.offset, savedAt: Date.now() };
    // A target that is too large gets an empty record of version 0. Otherwise a page would resume from an older record.
    this.#tooLarge = this.#whole = !fits || this.#chars > this.#bounds.chars;
    if (this.#tooLarge) return { head: { ...head, version: 0 }, whole: true, puts: [], removes: [] };
    return { head, whole, puts, removes };
  }

  #measure(id: string, length: number | undefined): void {
    this.#chars += (length ?? 0) - (this.#lengths.get(id) ?? 0);
    if (length === undefined) this.#lengths.delete(id);
    else this.#lengths.set(id, length);
  }
}

/** Returns whether this page may save. It may replace its own record, and the record of a page that no longer saves. */
function mayWrite(kept: unknown, { head, whole }: PersistBatch): boolean {
  const other = readHead(kept);
  if (other === undefined) return whole;
  if (other.writer === head.writer) return true;
  return whole && Math.abs(head.savedAt - other.savedAt) > OTHER_ALIVE_MS;
}

/** Returns the checked record. `undefined`: the target was too large. `unusable`: the record is damaged or has another layout. */
function readRecord(record: {
  readonly head: unknown;
  readonly items: readonly unknown[];
}): { readonly head: PersistedHead; readonly items: readonly Item<unknown>[] } | 'unusable' | undefined {
  const head = readHead(record.head);
  if (head === undefined) return 'unusable';
  if (head.version === 0) return undefined;
  if (head.version !== VERSION) return 'unusable';
  const items: Item<unknown>[] = [];
  for (const row of record.items) {
    const item = readItem(row);
    if (item === undefined || item.created > head.offset || item.offset > head.offset) return 'unusable';
    items.push(item);
  }
  return { head, items };
}

function readHead(value: unknown): PersistedHead | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { version, writer, epoch, offset, savedAt } = value as Partial<Record<keyof PersistedHead, unknown>>;
  if (typeof version !== 'number' || typeof writer !== 'string' || typeof epoch !== 'string') return undefined;
  if (!isOffset(offset) || typeof savedAt !== 'number') return undefined;
  return { version, writer, epoch, offset, savedAt };
}

function readItem(value: unknown): Item<unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, created, offset, text } = value as Partial<Record<keyof PersistedItem, unknown>>;
  if (typeof id !== 'string' || !isOffset(created) || !isOffset(offset) || typeof text !== 'string') return undefined;
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- inside a try
    return { id, created, offset, data: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** Beside the check of the protocol, which would make a third file of a bundle. */
function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
