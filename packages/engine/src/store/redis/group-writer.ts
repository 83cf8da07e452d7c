import { LIMITS, RivuletError } from '@rivulet/protocol';
import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import { systemClock } from '../../structures/clock.js';
import type { MonotonicWallClock } from '../../structures/monotonic-wall-clock.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import { BatchLimits } from '../shared/batch-limits.js';
import { requireSame, tooLarge } from '../shared/write-plan.js';
import type { GroupRef, Once } from '../store.js';
import { type RedisGroups, textOf } from './group-client.js';
import type { GroupKeys } from './keys.js';
import { itemOf, readTold, type Told } from './records.js';
import { WRITE } from './scripts.js';
import {
  type Answer,
  type Asked,
  encodeOp,
  type Ground,
  guardsHold,
  itemsOf,
  itemsToRead,
  type Op,
  type Outcome,
  type Plan,
  planInSteps,
} from './write-ops.js';

/** Changes of one script. */
const BATCH_CHANGES = 512;
/** UTF-16 code units of the values of one script; one that is larger alone is carried alone. */
const BATCH_CHARS = 4_194_304;
/** So often something is decided anew because another node wrote meanwhile. */
const MOST_TRIES = 200;
/** Commits that the log of a group keeps, and for how many milliseconds after the last one. */
const LOG_COMMITS = 128;
/** Bytes of one; a larger one ends the log, and is told as a gap to whom its message was lost. */
const LOG_COMMIT_BYTES = 65_536;
const LOG_LINGER_MS = 120_000;

const TURNS = TurnBudget.of(systemClock);

interface Waiting {
  readonly asked: Asked;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export interface QueueOptions {
  readonly groups: RedisGroups;
  readonly time: MonotonicWallClock;
  readonly node: string;
  /** Reports what was done; resolves when it and everything before it is reported. */
  readonly told: (ref: GroupRef, told: Told) => Promise<void>;
  readonly idle: (queue: GroupQueue) => void;
  readonly logger: Logger;
}

/**
 * The writes of one group by this process, in the order in which they were asked for: what comes while a script runs goes with the next one.
 */
export class GroupQueue {
  readonly ref: GroupRef;
  readonly #options: QueueOptions;
  readonly #keys: GroupKeys;
  #waiting: Waiting[] = [];
  #running = false;

  constructor(ref: GroupRef, options: QueueOptions) {
    this.ref = ref;
    this.#options = options;
    this.#keys = options.groups.keys.of(ref);
  }

  ask(asked: Asked): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ asked, resolve, reject });
      if (this.#running) return;
      this.#running = true;
      // What else is asked for in this turn comes along.
      queueMicrotask(() => runInBackground(this.#run(), this.#options.logger, 'redis_write_queue'));
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      try {
        await this.#carry(batch);
      } catch (error) {
        // A delete may find room where a set does not.
        if (batch.length > 1 && error instanceof RivuletError && error.code === 'STORE_FULL') await this.#carryEach(batch);
        else for (const { reject } of batch) reject(error);
      }
    }
    this.#running = false;
    this.#options.idle(this);
  }

  async #carryEach(batch: readonly Waiting[]): Promise<void> {
    for (const waiting of batch) await this.#carry([waiting]).catch((error: unknown) => waiting.reject(error));
  }

  /** A write with a key goes alone: what it answers must be known before it is written. So does what the script alone decides. */
  #take(): Waiting[] {
    let changes = 0;
    let chars = 0;
    let count = 0;
    for (const { asked } of this.#waiting) {
      if (count > 0 && (goesAlone(asked) || changes >= BATCH_CHANGES || chars >= BATCH_CHARS)) break;
      count++;
      changes += sizeOf(asked);
      chars += charsOf(asked);
      if (goesAlone(asked)) break;
    }
    return this.#waiting.splice(0, count);
  }

  async #carry(batch: readonly Waiting[]): Promise<void> {
    const asked = batch.map((waiting) => waiting.asked);
    const once = asked[0] === undefined ? undefined : onceOf(asked[0]);
    const items = itemsToRead(asked);
    const least = asked[0] === undefined ? 0 : new Set(itemsOf(asked[0])).size;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const ground = items.length === 0 && once === undefined ? undefined : await this.#read(items, least, once);
      if (ground?.answer !== undefined) {
        batch[0]?.resolve({ kind: 'replayed', answer: ground.answer });
        return;
      }
      const { outcomes, expected } = await this.#plan(asked, ground);
      const planned = batch.slice(0, outcomes.length);
      if (!(await this.#commit(planned, outcomes, expected, ground, once))) continue;
      // What is left comes first again.
      this.#waiting = [...batch.slice(outcomes.length), ...this.#waiting];
      return;
    }
    throw new RivuletError('OVERLOADED', `other nodes changed what was written ${MOST_TRIES} times meanwhile; try again later`);
  }

  /** Others may write to the group meanwhile: the script finds that out. */
  async #plan(asked: readonly Asked[], ground: Ground | undefined): Promise<Plan> {
    const limits = new BatchLimits(() => performance.now());
    limits.begin();
    const steps = planInSteps(asked, ground, limits);
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      if (TURNS.spent) await TURNS.next();
    }
  }

  async #read(items: readonly string[], least: number, once: Once | undefined): Promise<Ground & { readonly answer: string | undefined }> {
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
    return { position, items: known, unread: new Set(items.slice(read)), answer: once && this.#answerOf(once, textOf(used)) };
  }

  /** `<until> <length of the fingerprint> <fingerprint><answer>` */
  #answerOf(once: Once, used: string): string | undefined {
    const [, until, length] = /^(\d+) (\d+) /.exec(used) ?? [];
    if (until === undefined || length === undefined || Number(until) <= this.#options.time.now()) return undefined;
    const begin = until.length + length.length + 2;
    requireSame(once, used.slice(begin, begin + Number(length)));
    return used.slice(begin + Number(length));
  }

  /** False when something was not as expected: nothing was done. */
  async #commit(
    batch: readonly Waiting[],
    outcomes: readonly Outcome[],
    expected: ReadonlyMap<string, number>,
    ground: Ground | undefined,
    once: Once | undefined,
  ): Promise<boolean> {
    const ops = outcomes.flatMap((outcome) => (outcome.kind === 'planned' ? outcome.ops : []));
    const planned = outcomes.some(({ kind }) => kind === 'planned');
    const touches = batch.some(({ asked }) => asked.kind === 'due');
    const nothing = nowhere(ground);
    // Nothing to write, nothing to remember: what was read was true at one position.
    const told =
      !planned || (ops.length === 0 && once === undefined && !touches) ? nothing : await this.#write(ops, outcomes, expected, ground, once);
    if (told === undefined) return false;
    await this.#options.told(this.ref, told);
    let at = 0;
    for (const [index, outcome] of outcomes.entries()) {
      const { resolve, reject } = batch[index] as Waiting;
      if (outcome.kind === 'failed') {
        reject(outcome.error);
        continue;
      }
      const own = told.records.slice(at, at + outcome.ops.length);
      at += outcome.ops.length;
      resolve(outcome.answer(told, own));
    }
    return true;
  }

  async #write(
    ops: readonly Op[],
    outcomes: readonly Outcome[],
    expected: ReadonlyMap<string, number>,
    ground: Ground | undefined,
    once: Once | undefined,
  ): Promise<Told | undefined> {
    const { groups, time, node } = this.#options;
    const keys = this.#keys;
    const { stream, group } = this.ref;
    const steady = time.now();
    const [first] = outcomes;
    const remembered =
      once === undefined || first?.kind !== 'planned' || ground === undefined ? undefined : rememberedOf(once, first, ground, steady);
    const [streamChannel, allChannel] = keys.followed;
    const names = { ...keys, ...keys.shared, once: once === undefined ? undefined : keys.once(once.key) };
    const args = {
      steadyNow: steady,
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
      expectedEpoch: ground?.position.epoch ?? '',
      expectedOffset: remembered === undefined ? '' : (ground?.position.offset ?? ''),
      onceAnswer: remembered ?? '',
      onceRetentionMs: once?.retentionMs ?? 0,
      expectedCount: expected.size,
      changeCount: ops.length,
    };
    const further = [...[...expected].flatMap(([item, changed]) => [item, String(changed)]), ...ops.flatMap((op) => encodeOp(op, steady))];
    const [status, told] = await groups.run(WRITE, names, args, further);
    if (textOf(status) !== 'done') return undefined;
    return Buffer.isBuffer(told) ? readTold(told) : undefined;
  }
}

function rememberedOf(once: Once, { answer, ops }: Extract<Outcome, { kind: 'planned' }>, ground: Ground, steady: number): string {
  const { fingerprint, retentionMs } = once;
  const { epoch, offset } = ground.position;
  const result = answer({ node: '', epoch, from: offset, to: offset + ops.length, records: [] }, []);
  if (result === undefined || (result.kind !== 'written' && result.kind !== 'conflict')) throw new TypeError('only a write has a key');
  return `${steady + retentionMs} ${fingerprint.length} ${fingerprint}${once.answer(result)}`;
}

/** What a script that did nothing would tell. */
function nowhere(ground: Ground | undefined): Told {
  const { epoch, offset } = ground?.position ?? { epoch: '', offset: 0 };
  return { node: '', epoch, from: offset, to: offset, records: [] };
}

function onceOf(asked: Asked): Once | undefined {
  return asked.kind === 'write' ? asked.write.once : undefined;
}

function goesAlone(asked: Asked): boolean {
  return asked.kind === 'due' || onceOf(asked) !== undefined || (asked.kind === 'write' && asked.write.changes.some(guardsHold));
}

export function sizeOf(asked: Asked): number {
  return asked.kind === 'write' ? asked.write.changes.length : asked.kind === 'due' ? asked.items.length : 1;
}

function charsOf(asked: Asked): number {
  if (asked.kind === 'due') return 0;
  const changes = asked.kind === 'write' ? asked.write.changes : [asked.change];
  return changes.reduce((sum, change) => sum + ('data' in change ? change.data.length : 0), 0);
}

/** Throws OVERLOADED when `changes` changes more than wait already are too many. */
export function requireQueueRoom(waiting: number, changes: number): void {
  if (waiting + changes > LIMITS.queuedWrites)
    throw new RivuletError('OVERLOADED', `more than ${LIMITS.queuedWrites} writes wait; slow down`);
}
