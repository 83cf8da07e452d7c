import { LIMITS, RivuletError } from '@rivulet/protocol';
import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import { systemClock } from '../../structures/clock.js';
import type { MonotonicWallClock } from '../../structures/monotonic-wall-clock.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import type { GroupBounds } from '../bounds.js';
import { BatchLimits } from '../shared/batch-limits.js';
import { groupFull } from '../shared/group-bounds.js';
import { requireSame, tooLarge } from '../shared/write-plan.js';
import type { GroupRef, Once } from '../store.js';
import type { CommitFigures } from '../store-figures.js';
import { type GroupClient, textOf } from './group-client.js';
import type { GroupKeys } from './keys.js';
import { type GroupStep, itemOf, readStep } from './records.js';
import { WRITE } from './scripts.js';
import {
  type Answer,
  encodeOp,
  type GroupItems,
  isGuarded,
  itemsOf,
  itemsToRead,
  type Op,
  type Outcome,
  type PendingWrite,
  type Plan,
  planInSteps,
} from './write-ops.js';

export type { Answer } from './write-ops.js';

/** Changes of one script. */
const BATCH_CHANGES = 512;
/** UTF-16 code units of the values of one script. A larger single value gets a script of its own. */
const BATCH_CHARS = 4_194_304;
/** Attempts of one batch. Each attempt but the last failed because another engine changed an item that the plan relied on. */
const MOST_TRIES = 200;
/** Steps in the log of a group. */
const LOG_COMMITS = 128;
/** Bytes of one step in the log. A larger step deletes the log: an engine that misses a message then reports a gap. */
const LOG_COMMIT_BYTES = 65_536;
/** How long the log lives after the last step, in milliseconds. */
const LOG_LINGER_MS = 120_000;

/** The type of the record of a delete by a bound, and how that of a refused change begins. Other records of these effects have no type. */
const BOUND = 'bound';
const FULL = 'full ';

const TURNS = TurnBudget.of(systemClock);

interface QueuedWrite {
  readonly pending: PendingWrite;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export interface GroupWriterOptions {
  readonly groups: GroupClient;
  readonly time: MonotonicWallClock;
  /** Names this process for the other engines. */
  readonly node: string;
  /** Reports a step. Resolves when it and every step before it was reported. */
  readonly onStep: (ref: GroupRef, step: GroupStep) => Promise<void>;
  /** Called when the queue is empty. */
  readonly onIdle: (writer: GroupWriter) => void;
  /** Counters of all writers of the store. */
  readonly commits: CommitFigures;
  /** Bounds of the group. */
  readonly bounds: GroupBounds | undefined;
  readonly logger: Logger;
}

/**
 * Writes the changes of this process to one group, in the order of their calls.
 *
 * One script runs at a time. Writes that are called meanwhile wait and share the next script. A batch goes through four steps:
 * 1. Read the items that its writes look at (`itemsToRead`). Plain sets and deletes read nothing.
 * 2. Plan: decide conditions and compute values, each write on top of those before it (write-ops.ts).
 * 3. Run write.lua with the plan and the expected offsets of the items that were read.
 * 4. If another engine changed one of these items, begin again with step 1. Otherwise report the step, then resolve the callers.
 */
export class GroupWriter {
  readonly ref: GroupRef;
  readonly #options: GroupWriterOptions;
  readonly #keys: GroupKeys;
  #queue: QueuedWrite[] = [];
  #isRunning = false;

  constructor(ref: GroupRef, options: GroupWriterOptions) {
    this.ref = ref;
    this.#options = options;
    this.#keys = options.groups.keys.of(ref);
  }

  /** Resolves with the answer when the write is stored and reported. Rejects when it is not written, or when its fate is unknown. */
  enqueue(pending: PendingWrite): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ pending, resolve, reject });
      if (this.#isRunning) return;
      this.#isRunning = true;
      // Writes of the same turn of the event loop share the first script.
      queueMicrotask(() => runInBackground(this.#run(), this.#options.logger, 'redis_write_queue'));
    });
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch();
      try {
        await this.#execute(batch);
      } catch (error) {
        // A full Redis refuses the whole script. Alone, a delete still succeeds where a set fails.
        if (batch.length > 1 && error instanceof RivuletError && error.code === 'STORE_FULL') await this.#executeEach(batch);
        else this.#reject(batch, error);
      }
    }
    this.#isRunning = false;
    this.#options.onIdle(this);
  }

  async #executeEach(batch: readonly QueuedWrite[]): Promise<void> {
    for (const queued of batch) await this.#execute([queued]).catch((error: unknown) => this.#reject([queued], error));
  }

  #reject(batch: readonly QueuedWrite[], error: unknown): void {
    this.#options.commits.failed += batch.length;
    for (const { reject } of batch) reject(error);
  }

  /** Removes the next batch from the queue, within BATCH_CHANGES and BATCH_CHARS. */
  #takeBatch(): QueuedWrite[] {
    const isAlone = (pending: PendingWrite) => goesAlone(pending, this.#options.bounds);
    let changes = 0;
    let chars = 0;
    let count = 0;
    for (const { pending } of this.#queue) {
      if (count > 0 && (isAlone(pending) || changes >= BATCH_CHANGES || chars >= BATCH_CHARS)) break;
      count++;
      changes += sizeOf(pending);
      chars += charsOf(pending);
      if (isAlone(pending)) break;
    }
    return this.#queue.splice(0, count);
  }

  async #execute(batch: readonly QueuedWrite[]): Promise<void> {
    const writes = batch.map(({ pending }) => pending);
    const once = writes[0] === undefined ? undefined : onceOf(writes[0]);
    const items = itemsToRead(writes);
    const least = writes[0] === undefined ? 0 : new Set(itemsOf(writes[0])).size;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const read = items.length === 0 && once === undefined ? undefined : await this.#read(items, least, once);
      if (read?.answer !== undefined) {
        batch[0]?.resolve({ kind: 'replayed', answer: read.answer });
        return;
      }
      const { outcomes, expected } = await this.#plan(writes, read);
      const planned = batch.slice(0, outcomes.length);
      if (!(await this.#commit(planned, outcomes, expected, read, once))) continue;
      // A plan may end early. The rest of the batch goes first in the next one.
      this.#queue = [...batch.slice(outcomes.length), ...this.#queue];
      return;
    }
    throw new RivuletError('OVERLOADED', `other engines changed these items during each of ${MOST_TRIES} attempts; try again later`);
  }

  /** Plans in slices, so that the event loop runs in between. If another engine writes meanwhile, the script notices it. */
  async #plan(writes: readonly PendingWrite[], read: GroupItems | undefined): Promise<Plan> {
    const limits = new BatchLimits(() => performance.now());
    limits.begin();
    const steps = planInSteps(writes, read, limits);
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      if (TURNS.spent) await TURNS.next();
    }
  }

  async #read(
    items: readonly string[],
    least: number,
    once: Once | undefined,
  ): Promise<GroupItems & { readonly answer: string | undefined }> {
    const { position, rest } = await this.#options.groups.read(this.ref, items, once?.key, least);
    const [used, ...found] = rest;
    const read = found.length / 2;
    if (read < least) throw tooLarge();
    const known = new Map(
      items.flatMap((item, index) => {
        const value = found[index * 2];
        return value === null || value === undefined ? [] : [[item, itemOf(item, value, found[index * 2 + 1])] as const];
      }),
    );
    return { position, items: known, unread: new Set(items.slice(read)), answer: once && this.#rememberedAnswer(once, textOf(used)) };
  }

  /**
   * Returns the answer that is remembered under the key, or `undefined` when there is none or its time is over. Throws INVALID_ARGUMENTS
   * when the key belongs to another write. `used` is `<until> <length of the fingerprint> <fingerprint><answer>`.
   */
  #rememberedAnswer(once: Once, used: string): string | undefined {
    const [, until, length] = /^(\d+) (\d+) /.exec(used) ?? [];
    if (until === undefined || length === undefined || Number(until) <= this.#options.time.now()) return undefined;
    const begin = until.length + length.length + 2;
    requireSame(once, used.slice(begin, begin + Number(length)));
    return used.slice(begin + Number(length));
  }

  /** Resolves to `false` when something was not as expected: then nothing was written. */
  async #commit(
    batch: readonly QueuedWrite[],
    outcomes: readonly Outcome[],
    expected: ReadonlyMap<string, number>,
    read: GroupItems | undefined,
    once: Once | undefined,
  ): Promise<boolean> {
    const ops = outcomes.flatMap((outcome) => (outcome.kind === 'planned' ? outcome.ops : []));
    const hasPlan = outcomes.some(({ kind }) => kind === 'planned');
    const hasDue = batch.some(({ pending }) => pending.kind === 'due');
    // Without ops and without a key there is nothing to write: the answers are true at the position that was read.
    const needsScript = hasPlan && (ops.length > 0 || once !== undefined || hasDue);
    const begun = performance.now();
    const step = needsScript ? await this.#write(batch, ops, outcomes, expected, read, once) : emptyStep(read);
    if (step === undefined) return false;
    await this.#options.onStep(this.ref, step);
    const { commits } = this.#options;
    commits.changes += ops.length;
    if (needsScript) {
      commits.seconds.observe((performance.now() - begun) / 1_000);
      commits.batch.observe(batch.length);
    }
    // Deletes by a bound answer no op.
    const answers = step.records.filter(({ effect, type }) => effect !== 'delete' || type !== BOUND);
    let at = 0;
    for (const [index, outcome] of outcomes.entries()) {
      const { resolve, reject } = batch[index] as QueuedWrite;
      if (outcome.kind === 'failed') {
        reject(outcome.error);
        continue;
      }
      const own = answers.slice(at, at + outcome.ops.length);
      at += outcome.ops.length;
      const refused = own.find(({ effect, type }) => effect === 'none' && type.startsWith(FULL));
      if (refused === undefined) resolve(outcome.answer(step, own));
      else reject(groupFull(refused.type.slice(FULL.length)));
    }
    return true;
  }

  async #write(
    batch: readonly QueuedWrite[],
    ops: readonly Op[],
    outcomes: readonly Outcome[],
    expected: ReadonlyMap<string, number>,
    read: GroupItems | undefined,
    once: Once | undefined,
  ): Promise<GroupStep | undefined> {
    const { groups, time, node, bounds } = this.#options;
    const keys = this.#keys;
    const { stream, group } = this.ref;
    const steadyNow = time.now();
    const [first] = outcomes;
    const onceAnswer =
      once === undefined || first?.kind !== 'planned' || read === undefined ? undefined : onceAnswerOf(once, first, read, steadyNow);
    const [streamChannel, allChannel] = keys.followed;
    const callKeys = { once: once === undefined ? undefined : keys.once(once.key) };
    const args = {
      steadyNow,
      node,
      name: keys.name,
      stream,
      group,
      held: keys.shared.held,
      channel: keys.channel,
      isClustered: groups.redis.clustered ? 1 : 0,
      streamChannel,
      allChannel,
      logCommits: LOG_COMMITS,
      logCommitBytes: LOG_COMMIT_BYTES,
      logLingerMs: LOG_LINGER_MS,
      expectedEpoch: read?.position.epoch ?? '',
      // The remembered answer names offsets, so it is only true when the group has not moved.
      expectedOffset: onceAnswer === undefined ? '' : (read?.position.offset ?? ''),
      onceAnswer: onceAnswer ?? '',
      onceRetentionMs: once?.retentionMs ?? 0,
      maxItems: bounds?.maxItems ?? '',
      maxBytes: bounds?.maxBytes ?? '',
      onFull: bounds?.onFull ?? '',
      evictedItems: LIMITS.evictedItems,
      evictedBytes: BATCH_CHARS,
      isOneWrite: batch[0]?.pending.kind === 'write' ? 1 : 0,
      expectedCount: expected.size,
      changeCount: ops.length,
    };
    const further = [
      ...[...expected].flatMap(([item, changed]) => [item, String(changed)]),
      ...ops.flatMap((op) => encodeOp(op, steadyNow, bounds?.maxAgeMs)),
    ];
    const [status, step] = await groups.run(WRITE, keys, callKeys, args, further);
    return textOf(status) === 'done' && Buffer.isBuffer(step) ? readStep(step) : undefined;
  }
}

/** Returns what Redis remembers under the key, before the write: the script has no answer yet, but its offsets are known. */
function onceAnswerOf(once: Once, { answer, ops }: Extract<Outcome, { kind: 'planned' }>, read: GroupItems, steadyNow: number): string {
  const { fingerprint, retentionMs } = once;
  const { epoch, offset } = read.position;
  const result = answer({ node: '', epoch, from: offset, to: offset + ops.length, records: [] }, []);
  if (result === undefined || (result.kind !== 'written' && result.kind !== 'conflict')) throw new TypeError('only a write has a key');
  return `${steadyNow + retentionMs} ${fingerprint.length} ${fingerprint}${once.answer(result)}`;
}

/** Returns the step of a script that would change nothing. */
function emptyStep(read: GroupItems | undefined): GroupStep {
  const { epoch, offset } = read?.position ?? { epoch: '', offset: 0 };
  return { node: '', epoch, from: offset, to: offset, records: [] };
}

function onceOf(pending: PendingWrite): Once | undefined {
  return pending.kind === 'write' ? pending.write.once : undefined;
}

/**
 * Whether the write needs a script of its own. A write with a key does, because its answer must be known before it is written. A guarded
 * write and a deletion of due items do, because only the script can decide them. In a bounded group the script may refuse a write, or
 * delete items, so nothing may share a script with it that was planned on items and offsets.
 */
function goesAlone(pending: PendingWrite, bounds: GroupBounds | undefined): boolean {
  if (bounds !== undefined && (pending.kind === 'write' || (pending.kind === 'change' && pending.change.kind === 'update'))) return true;
  return pending.kind === 'due' || onceOf(pending) !== undefined || (pending.kind === 'write' && pending.write.changes.some(isGuarded));
}

/** Returns the number of changes. */
export function sizeOf(pending: PendingWrite): number {
  return pending.kind === 'write' ? pending.write.changes.length : pending.kind === 'due' ? pending.items.length : 1;
}

function charsOf(pending: PendingWrite): number {
  if (pending.kind === 'due') return 0;
  const changes = pending.kind === 'write' ? pending.write.changes : [pending.change];
  return changes.reduce((sum, change) => sum + ('data' in change ? change.data.length : 0), 0);
}

/** Throws OVERLOADED when the queues of the store have no capacity for `changes` more changes. */
export function requireQueueCapacity(queued: number, changes: number): void {
  if (queued + changes > LIMITS.queuedWrites)
    throw new RivuletError('OVERLOADED', `more than ${LIMITS.queuedWrites} writes wait; slow down`);
}
