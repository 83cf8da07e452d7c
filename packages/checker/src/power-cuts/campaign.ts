import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@rivulet/testkit/random';
import { choicesOf, VARIANT_NAMES } from './cut-choices.js';
import type { CallEvent } from './disk-calls.js';
import { ExpectedHistory } from './expected-history.js';
import type { OpenJob } from './images.js';
import { type Cut, judge } from './judge.js';
import type { Mark, MarkedKey } from './marks.js';
import { Opener } from './opener.js';
import { type Moment, type Recording, record } from './recording.js';
import { type Durability, STORES, type StoreName } from './stored-groups.js';

/** Syncs that a deliberate fault takes away: those of all files, or of the logs of durable stores. */
export type IgnoredSyncs = 'none' | 'log' | 'all';

export interface CampaignOptions {
  readonly seed: number;
  readonly cuts: number;
  readonly durability: Durability;
  /** Power cuts of one recording. @default 150 */
  readonly cutsEach?: number;
  /** Steps of each recorded process. @default 20 */
  readonly steps?: number;
  /** A deliberate fault: the disk acknowledges syncs and does nothing. The campaign must find it. @default 'none' */
  readonly ignoredSyncs?: IgnoredSyncs;
  /** The first recording. Earlier ones are skipped, to continue a campaign. @default 0 */
  readonly from?: number;
  readonly say: (text: string) => void;
}

export interface CampaignResult {
  readonly cuts: number;
  readonly recordings: number;
  /** Stores that were opened, two for each cut. */
  readonly stores: number;
  /** Acknowledged changes that had to be there, summed over all stores. */
  readonly checked: number;
  /** Stores that came back with a new epoch. */
  readonly newEpochs: number;
  /** The largest number of acknowledged changes that one power cut took. */
  readonly mostLost: number;
  readonly wrong: readonly string[];
}

const CUTS_EACH = 150;
const STEPS = 20;
/** Cuts out of ten that kill the process only. */
const KILLS_OF_TEN = 1;
/** Distance between the seeds of two campaigns, so that they share no recording. */
const RECORDINGS_APART = 1_000;
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
/** The id of another boot, of the same length. */
const OTHER_BOOT_ID = '00000000-0000-4000-8000-000000000000';
const LOG_NAME = 'rivulet-log-';
const MEMORY_DISK = '/dev/shm';

/** Records the real store, cuts the power at random moments, and judges what the store makes of each disk. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { seed, cuts, durability, cutsEach = CUTS_EACH, steps = STEPS, ignoredSyncs = 'none', from = 0, say } = options;
  const sum = { cuts: 0, recordings: 0, stores: 0, checked: 0, newEpochs: 0, mostLost: 0, wrong: [] as string[] };
  const folder = mkdtempSync(join(statSync(MEMORY_DISK, { throwIfNoEntry: false })?.isDirectory() ? MEMORY_DISK : tmpdir(), 'power-cuts-'));
  const opener = new Opener();
  try {
    // Half of the recordings begin with what an earlier power cut has left.
    let left: LeftImage | undefined;
    for (let number = from; sum.cuts < cuts; number++, sum.recordings++) {
      const random = new Random(seed * RECORDINGS_APART + number);
      const place = join(folder, `recording-${number}`);
      mkdirSync(place);
      if (left !== undefined) cpSync(left.directory, join(place, 'data'), { recursive: true });
      const recording = await record({ folder: place, random, durability, steps: [steps, steps, steps].slice(left === undefined ? 0 : 1) });
      const many = Math.min(cutsEach, cuts - sum.cuts);
      const replay = new Replay({ recording, random, durability, place, left, ignoredSyncs, opener });
      const moments = chooseMoments(recording.moments, random, many);
      const before = sum.wrong.length;
      for (const moment of moments) await replay.cut(moment, sum, `seed ${seed}, recording ${number}`);
      left = left === undefined ? replay.left : undefined;
      if (left === undefined) for (const each of readdirSync(folder)) rmSync(join(folder, each), { recursive: true, force: true });
      for (const wrong of sum.wrong.slice(before)) say(`WRONG ${wrong}`);
      say(`recording ${number}: ${sum.cuts} power cuts, ${sum.wrong.length} findings`);
    }
  } finally {
    await opener.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return sum;
}

type Sum = { -readonly [K in keyof CampaignResult]: CampaignResult[K] extends readonly string[] ? string[] : CampaignResult[K] };

/** A directory that a power cut has left. */
interface LeftImage {
  readonly directory: string;
  /** The epoch of each store that lost changes. */
  readonly lostEpochs: Map<StoreName, string>;
}

interface ReplayOptions {
  readonly recording: Recording;
  readonly random: Random;
  readonly durability: Durability;
  readonly place: string;
  /** The content of the directory when the recording began. @default an empty directory */
  readonly left: LeftImage | undefined;
  readonly ignoredSyncs: IgnoredSyncs;
  readonly opener: Opener;
}

/** Goes through one recording and cuts the power at moments that grow. */
class Replay {
  readonly #options: ReplayOptions;
  readonly #histories = new Map<StoreName, ExpectedHistory>();
  readonly #keys: Record<StoreName, MarkedKey[]> = { stream_store: [], state_store: [] };
  readonly #closed = new Set<StoreName>();
  readonly #bootId = bootId();
  #at = 0;
  #cuts = 0;
  /** An image as it was before it was opened. */
  left: LeftImage | undefined;

  constructor(options: ReplayOptions) {
    this.#options = options;
    const { moments } = options.recording;
    for (const store of STORES) {
      const first = options.left === undefined ? undefined : moments.find((each) => each.kind === 'mark' && isBaseOf(each.mark, store));
      const groups = first?.kind === 'mark' && first.mark.m === 'base' ? first.mark.groups : undefined;
      const history = new ExpectedHistory(groups);
      // The whole history: a power cut may leave a change that was on its way.
      for (const [index, each] of moments.entries()) if (each.kind === 'mark' && each.mark.store === store) history.add(each.mark, index);
      this.#histories.set(store, history);
    }
  }

  async cut(moment: number, sum: Sum, name: string): Promise<void> {
    const { random, durability, recording, place, opener } = this.#options;
    this.#advance(moment);
    const sameBoot = random.below(10) < KILLS_OF_TEN;
    const variant = sameBoot ? 'everything' : random.pick(VARIANT_NAMES);
    const id = this.#cuts++;
    const directory = join(place, 'image');
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory);
    recording.disk.writeImage(directory, choicesOf(variant, random));
    if (!sameBoot) this.#boot(directory, random);
    const isKept = id % 16 === 0 && !sameBoot;
    if (isKept) this.#keep(directory);
    const job: OpenJob = { id, directory, durability, reopens: id % 4 === 0, keys: this.#keys };
    const report = await opener.open(job);
    sum.cuts++;
    const what = `${name}, cut ${id} before call ${moment} (${sameBoot ? 'the process was killed' : variant})`;
    if ('ended' in report) {
      sum.wrong.push(`${what}: the process that opened the stores ${report.ended}`);
      return;
    }
    for (const store of STORES) {
      const history = this.#histories.get(store) as ExpectedHistory;
      const cut: Cut = {
        moment,
        durability,
        sameBoot,
        isClosed: this.#closed.has(store),
        lostEpoch: this.#options.left?.lostEpochs.get(store),
      };
      const verdict = judge(history, cut, report.stores[store]);
      sum.stores++;
      sum.checked += history.stepBefore(moment);
      if (verdict.hasNewEpoch) sum.newEpochs++;
      const epoch = history.epochOf(history.stepBefore(moment));
      if (isKept && verdict.lost > 0 && epoch !== undefined) this.left?.lostEpochs.set(store, epoch);
      sum.mostLost = Math.max(sum.mostLost, verdict.lost);
      sum.wrong.push(...verdict.wrong.map((wrong) => `${what}: ${store}: ${wrong}`));
    }
  }

  #advance(moment: number): void {
    for (; this.#at < moment; this.#at++) {
      const each = this.#options.recording.moments[this.#at] as Moment;
      if (each.kind === 'call') this.#apply(each.event);
      else if (each.kind === 'exit') this.#options.recording.disk.endProgram();
      else {
        const { mark } = each;
        if (mark.m === 'closed') this.#closed.add(mark.store);
        else this.#closed.delete(mark.store);
        if (mark.m === 'key') this.#keys[mark.store].push(mark);
      }
    }
  }

  #apply({ stage, call }: CallEvent): void {
    const { ignoredSyncs, recording } = this.#options;
    const isIgnored = ignoredSyncs === 'all' || (ignoredSyncs === 'log' && 'path' in call && call.path.includes(LOG_NAME));
    if (isIgnored && call.kind === 'sync') return;
    recording.disk.apply({ stage, call: isIgnored && call.kind === 'write' ? { ...call, isSynced: false } : call });
  }

  /** Another boot begins: it has another id, and nobody synced the lock file of LMDB, which is memory of its processes. */
  #boot(directory: string, random: Random): void {
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name);
      if (!entry.isFile() || entry.name === 'data.mdb') continue;
      if (entry.name === 'lock.mdb') {
        if (random.chance(0.3)) writeFileSync(file, Buffer.from(Array.from({ length: statSync(file).size }, () => random.below(256))));
        continue;
      }
      const text = readFileSync(file, 'latin1');
      if (this.#bootId !== '' && text.includes(this.#bootId)) writeFileSync(file, text.replaceAll(this.#bootId, OTHER_BOOT_ID), 'latin1');
    }
  }

  #keep(image: string): void {
    const directory = join(this.#options.place, 'left');
    rmSync(directory, { recursive: true, force: true });
    cpSync(image, directory, { recursive: true });
    this.left = { directory, lostEpochs: new Map() };
  }
}

function isBaseOf(mark: Mark, store: StoreName): boolean {
  return mark.m === 'base' && mark.store === store;
}

/** Returns moments in their order. Every fourth is near the start or the end of a process, where files are created and removed. */
function chooseMoments(moments: readonly Moment[], random: Random, count: number): readonly number[] {
  const edges = moments.flatMap((each, index) =>
    each.kind === 'mark' && (each.mark.m === 'base' || each.mark.m === 'closed') ? [index] : [],
  );
  const chosen = Array.from({ length: count }, (_, index) =>
    index % 4 === 0 && edges.length > 0
      ? Math.min(moments.length, Math.max(0, random.pick(edges) + random.between(-120, 10)))
      : random.between(0, moments.length),
  );
  return chosen.sort((a, b) => a - b);
}

function bootId(): string {
  try {
    return readFileSync(BOOT_ID, 'utf8').trim();
  } catch {
    return '';
  }
}
