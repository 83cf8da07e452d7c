import { isOffset } from '@rivulet/protocol';
import type { Clock } from '../connection/clock.js';
import type { Item } from '../subscription/mirror.js';
import type { Journal, Replica } from '../subscription/replica.js';
import type { PersistBatch, PersistedHead, PersistedItem, PersistStore } from './persist-store.js';

const VERSION = 1;
/** Milliseconds from a change to its being saved: what comes in between is saved with it. */
const SAVE_AFTER_MS = 1_000;
/** Milliseconds for which a page that has saved is taken to be alive. */
const OTHER_ALIVE_MS = 10_000;
/** Milliseconds that reading may hold up the join. */
const LOAD_MS = 2_000;

export interface PersistBounds {
  /** Items of one target that are kept; of a larger one nothing is. */
  readonly items: number;
  /** UTF-16 code units of their values as JSON. */
  readonly chars: number;
}

/** Follows a replica behind its back: one save at a time, each of a state that was true at one position. */
export class PersistentCopy implements Journal {
  readonly #store: PersistStore;
  readonly #key: string;
  readonly #replica: Replica;
  readonly #clock: Clock;
  readonly #bounds: PersistBounds;
  readonly #failed: (cause: unknown) => void;
  readonly #writer = `${Date.now()}.${Math.random()}`;
  /** Length of what is kept of each item, as far as this page knows. */
  readonly #lengths = new Map<string, number>();
  #chars = 0;
  #dirty = new Set<string>();
  #whole = true;
  /** It does not fit: nothing is kept until everything is replaced. */
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

  /** Fills the replica with what is kept, if that can be used, and follows it from then on. Takes at most 2 s. */
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

  /** Saves what is not saved yet, and follows no more. */
  async close(): Promise<void> {
    if (this.#stopped) return this.#saving;
    this.#stop();
    this.#save();
    await this.#saving;
  }

  /** The group may not be watched any more: nothing of it stays. */
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
      // Taken only now, in one turn: a state of one position.
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
    // Too large: an empty record that resumes nothing, so that no older one does.
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

/** The same page goes on from its own; another one takes over what nobody keeps. */
function mayWrite(kept: unknown, { head, whole }: PersistBatch): boolean {
  const other = readHead(kept);
  if (other === undefined) return whole;
  if (other.writer === head.writer) return true;
  return whole && Math.abs(head.savedAt - other.savedAt) > OTHER_ALIVE_MS;
}

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
