import { Random } from '@rivulet/testkit/random';
import { HostileWorker } from './hostile-worker.js';
import { Innocent } from './innocent.js';
import { type StoreKind, Target } from './target.js';
import { type PeerKind, Traffic } from './traffic.js';

export interface CampaignOptions {
  readonly seed: number;
  /** Number of the first round. Earlier rounds are skipped. */
  readonly from: number;
  readonly messages: number;
  /** Number of messages in one round. Each round has a seed of its own. */
  readonly roundMessages: number;
  readonly stores: readonly StoreKind[];
  /**
   * Kinds of peers.
   * @default all
   */
  readonly peers?: readonly PeerKind[] | undefined;
  /**
   * Milliseconds in which the heap must return to its bound at the end.
   * @default the time for which the engine keeps groups without subscriptions
   */
  readonly releaseMs?: number;
  /** Name of a deliberate fault in the engine. */
  readonly fault?: string | undefined;
  readonly say: (text: string) => void;
}

export interface CampaignResult {
  readonly messages: number;
  readonly rounds: number;
  readonly milliseconds: number;
  /** Number of changes that the innocent clients have seen. */
  readonly innocent: number;
  readonly heaps: readonly HeapFigure[];
  /** Descriptions of all faults; empty if there were none. */
  readonly faults: readonly string[];
}

export interface HeapFigure {
  readonly store: StoreKind;
  /** Bytes in use before the first hostile message. */
  readonly fresh: number;
  readonly begin: number;
  readonly end: number;
}

/** Largest allowed ratio of the heap at the end to the heap at the beginning. */
const HEAP_RATIO = 1.2;
/** Milliseconds after which the engine has released groups and logs that it keeps for a while. */
const RELEASE_MS = 75_000;
const SAMPLE_EVERY_MS = 2_000;
/** Distance between the seeds of two campaigns, so that they share no round. */
const ROUNDS_APART = 1_000_003;

/** One engine over one store, with its innocent client. It serves all rounds with this store. */
class Site {
  readonly target: Target;
  readonly innocent: Innocent;
  worker: HostileWorker;
  fresh = 0;
  begin: number | undefined;
  readonly #errorsSeen = new Set<string>();

  private constructor(target: Target, innocent: Innocent, worker: HostileWorker) {
    this.target = target;
    this.innocent = innocent;
    this.worker = worker;
  }

  static async open(kind: StoreKind, random: Random, fault: string | undefined): Promise<Site> {
    const target = await Target.start(kind, fault);
    const { worker: port, stream } = target.ports;
    const worker = await HostileWorker.connect(`ws://127.0.0.1:${port}`, random);
    return new Site(target, await Innocent.start(`ws://127.0.0.1:${port}`, `ws://127.0.0.1:${stream}`), worker);
  }

  /** Returns descriptions of the faults since the last call. */
  faults(): string[] {
    const { ended, errors } = this.target;
    const fresh = errors.map(kindOf).filter((line) => !this.#errorsSeen.has(line));
    for (const line of fresh) this.#errorsSeen.add(line);
    return [...(ended === undefined ? [] : [ended]), ...new Set(fresh), ...(ended === undefined ? this.innocent.faults.splice(0) : [])];
  }

  /** Ends the hostile worker and connects the next one. In between, the engine holds nothing for a worker. */
  async renewWorker(random: Random): Promise<void> {
    await this.worker.end();
    this.worker = await HostileWorker.connect(`ws://127.0.0.1:${this.target.ports.worker}`, random);
  }

  async close(): Promise<void> {
    this.innocent.close();
    this.worker.close();
    await this.target.stop();
  }
}

/** Sends hostile messages in rounds, each over the next store. Stops after a round with a fault. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const started = performance.now();
  const sites = new Map<StoreKind, Site>();
  const faults: string[] = [];
  let messages = 0;
  let round = options.from;
  try {
    for (; messages < options.messages && faults.length === 0; round++) {
      const kind = options.stores[round % options.stores.length] ?? 'memory';
      const random = new Random(options.seed * ROUNDS_APART + round);
      const site = sites.get(kind) ?? (await Site.open(kind, random, options.fault));
      if (!sites.has(kind)) site.fresh = (await site.target.heldBytes()) ?? 0;
      sites.set(kind, site);
      const most = Math.min(options.roundMessages, options.messages - messages);
      const begun = performance.now();
      const done = await runRound(site, random, { most, peers: options.peers });
      messages += done.messages;
      const rate = Math.round((done.messages * 1_000) / (performance.now() - begun));
      const held = await site.target.heldBytes();
      options.say(
        `seed ${options.seed} round ${round} over ${kind}: ${done.messages} messages, ${rate} a second, ${site.innocent.seen} seen by the innocent client, ${mib(held)} held`,
      );
      faults.push(...done.faults.map((fault) => `seed ${options.seed} round ${round} over ${kind}: ${fault}`));
      site.begin ??= held;
    }
    const heaps = faults.length > 0 ? [] : await heapsOf(sites, options.releaseMs ?? RELEASE_MS);
    for (const { store, begin, end } of heaps)
      if (end > begin * HEAP_RATIO) faults.push(`the heap over ${store} grew from ${begin} to ${end} bytes after garbage collection`);
    const innocent = [...sites.values()].reduce((sum, site) => sum + site.innocent.seen, 0);
    return { messages, rounds: round - options.from, milliseconds: performance.now() - started, innocent, heaps, faults };
  } finally {
    for (const site of sites.values()) await site.close();
  }
}

async function runRound(
  site: Site,
  random: Random,
  { most, peers }: { readonly most: number; readonly peers: CampaignOptions['peers'] },
): Promise<{ readonly messages: number; readonly faults: readonly string[] }> {
  site.worker.reseed(random.fork());
  site.innocent.resume();
  const before = site.worker.answers;
  const traffic = new Traffic(site.target.ports, site.worker, random, peers);
  const count = () => traffic.sent + site.worker.answers - before;
  let idle = 0;
  while (count() < most && site.target.ended === undefined && site.innocent.faults.length === 0) {
    idle = traffic.step() ? 0 : idle + 1;
    // The process must read the engine's messages, and full peers must drain.
    if (idle > 3) await new Promise((resolve) => setTimeout(resolve, 1));
    else await new Promise((resolve) => setImmediate(resolve));
  }
  site.innocent.pause();
  const stuck = site.target.ended === undefined ? await traffic.settle() : [];
  if (site.target.ended === undefined) await site.innocent.caughtUp();
  const messages = count();
  traffic.end();
  if (site.innocent.faults.length > 0) await site.target.endsSoon();
  const faults = site.faults();
  if (site.target.ended === undefined && stuck.length > 0)
    faults.push(`the engine read nothing more from ${[...new Set(stuck)].join(', ')} for 20 s`);
  if (faults.length === 0) {
    try {
      await site.renewWorker(random);
    } catch (error) {
      await site.target.endsSoon();
      faults.push(`the next hostile worker got no connection: ${String(error)}`, ...site.faults());
    }
  }
  return { messages, faults };
}

/** Waits until each heap is within the bound again, at most for `releaseMs`. */
async function heapsOf(sites: ReadonlyMap<StoreKind, Site>, releaseMs: number): Promise<HeapFigure[]> {
  const until = performance.now() + releaseMs;
  const figures: HeapFigure[] = [];
  for (const [store, { target, fresh, begin = 0 }] of sites) {
    let end = (await target.heldBytes()) ?? Number.POSITIVE_INFINITY;
    while (end > begin * HEAP_RATIO && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_EVERY_MS));
      end = Math.min(end, (await target.heldBytes()) ?? end);
    }
    figures.push({ store, fresh, begin, end });
  }
  return figures;
}

export function mib(bytes = 0): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

/** Returns a log line without the fields that differ between two lines of one kind. */
function kindOf(line: string): string {
  try {
    const { level: _, time: _time, ...rest } = JSON.parse(line) as Record<string, unknown>;
    return JSON.stringify(rest).slice(0, 2_000);
  } catch {
    return line.slice(0, 2_000);
  }
}
