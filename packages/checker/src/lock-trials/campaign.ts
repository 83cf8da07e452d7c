import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '@rivulet/testkit/random';
import { Agent } from './agent.js';
import type { AgentReport } from './agent-messages.js';
import { Ledger } from './ledger.js';

export const CONDITIONS = ['alive', 'frozen', 'thawed', 'stopped', 'killed', 'killed_pair', 'removed'] as const;
export type Condition = (typeof CONDITIONS)[number];

export interface CampaignOptions {
  /** Starts of a second process. */
  readonly starts: number;
  readonly seed: number;
  readonly say: (text: string) => void;
}

export interface CampaignResult {
  readonly starts: Readonly<Record<Condition, number>>;
  /** Times of refusals in milliseconds, sorted. */
  readonly refusals: readonly number[];
  readonly writes: number;
  readonly lost: number;
  readonly wrong: readonly string[];
}

const MOST_SKIPPED = 8;
/** How long a start may hang on a transaction of a frozen process, in milliseconds. */
const HANG_MS = 1_500;
const PROGRESS = 50;

/** A part of the message of a refusal. */
const IN_USE = 'is in use by process';
/** Longest time until an owner goes on or notices a loss, in milliseconds. */
const NOTICE_MS = 15_000;

/** Returns whether something happens in time. Otherwise it may still happen later. */
async function isWithin(happens: Promise<unknown>): Promise<boolean> {
  const never = new AbortController();
  const late = sleep(NOTICE_MS, false, { signal: never.signal });
  late.catch(() => {});
  happens.catch(() => {});
  const isInTime = await Promise.race([happens.then(() => true), late]);
  never.abort();
  return isInTime;
}

/** Starts a second owner of a store in another PID namespace again and again, while the first one is in different conditions. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const campaign = new Campaign(options);
  try {
    return await campaign.run();
  } finally {
    await campaign.end();
  }
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #directory = mkdtempSync(join(tmpdir(), 'rivulet-lock-trials-'));
  readonly #ledger = new Ledger();
  readonly #random: Random;
  readonly #agents = new Set<Agent>();
  readonly #starts: Record<Condition, number> = { alive: 0, frozen: 0, thawed: 0, stopped: 0, killed: 0, killed_pair: 0, removed: 0 };
  readonly #refusals: number[] = [];
  #idle: Agent[] = [];
  #names = 0;
  /** Findings that were said. */
  #said = 0;

  constructor(options: CampaignOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  async run(): Promise<CampaignResult> {
    const { starts, say } = this.#options;
    let holder = await this.#firstHolder();
    let conditions: Condition[] = [];
    for (let done = 0; done < starts; ) {
      if (conditions.length === 0) conditions = this.#shuffled();
      const condition = conditions.pop() ?? 'alive';
      const before = done;
      done += condition === 'killed_pair' ? 2 : 1;
      this.#starts[condition] += done - before;
      holder = await this.#trial(condition, holder);
      this.#sayFindings();
      if (Math.floor(done / PROGRESS) > Math.floor(before / PROGRESS)) say(`${done} starts, ${this.#ledger.writes} writes`);
    }
    // The last start finds every acknowledged write.
    await holder.close();
    await this.#retire(holder);
    await this.#firstHolder();
    this.#sayFindings();
    const { wrong, writes, lost } = this.#ledger;
    return { starts: this.#starts, refusals: this.#refusals.toSorted((a, b) => a - b), writes, lost, wrong };
  }

  async end(): Promise<void> {
    await Promise.all(Array.from(this.#agents, (agent) => agent.kill()));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Says the findings that are new. */
  #sayFindings(): void {
    for (const wrong of this.#ledger.wrong.slice(this.#said)) this.#options.say(`WRONG ${wrong}`);
    this.#said = this.#ledger.wrong.length;
  }

  async #trial(condition: Condition, holder: Agent): Promise<Agent> {
    switch (condition) {
      case 'alive':
        await this.#refused(await this.#spare(), condition);
        return holder;
      case 'frozen':
      case 'thawed': {
        const other = await this.#spare();
        holder.freeze();
        if (condition === 'thawed') holder.thaw();
        const refused = this.#refused(other, condition);
        // A frozen transaction must not keep anybody waiting: a start is refused before it opens the store.
        if (!(await isWithin(refused))) this.#ledger.note(`a start hung while the holder was ${condition}`);
        const goesOn = holder.next('written');
        holder.thaw();
        await refused;
        if (await isWithin(goesOn)) return holder;
        return await this.#replace(holder, `the holder did not go on after a start while it was ${condition}`);
      }
      case 'stopped': {
        const other = await this.#spare();
        await holder.close();
        await this.#retire(holder);
        return await this.#taken([other], condition);
      }
      case 'killed': {
        const other = await this.#spare();
        await this.#kill(holder);
        return await this.#taken([other], condition);
      }
      case 'killed_pair': {
        const both = [await this.#spare(), await this.#spare()];
        await this.#kill(holder);
        return await this.#taken(both, condition);
      }
      case 'removed':
        return await this.#removed(holder);
      default:
        return condition satisfies never;
    }
  }

  /** Somebody removes the lock of a frozen process, and another one starts. The frozen one must write nothing when it continues. */
  async #removed(holder: Agent): Promise<Agent> {
    const other = await this.#spare();
    holder.freeze();
    for (const name of readdirSync(this.#directory)) {
      if (name.startsWith('rivulet-store.lock')) rmSync(join(this.#directory, name));
    }
    const outcome = this.#open(other);
    outcome.catch(() => {});
    // LMDB makes the start wait when the frozen process is in the middle of a transaction.
    await Promise.race([outcome, sleep(HANG_MS)]);
    const ends = Promise.all([holder.next('lost'), holder.next('write_failed')]);
    holder.thaw();
    if (!(await isWithin(ends))) this.#ledger.note('an owner did not notice that its lock was removed');
    // An engine ends when it has lost its directory. Until then, a process with the same number in its own namespace can't read.
    await this.#kill(holder);
    if ((await outcome).kind === 'opened') return other;
    this.#idle.push(other);
    return await this.#firstHolder();
  }

  async #refused(agent: Agent, condition: Condition): Promise<void> {
    const outcome = await this.#open(agent);
    if (outcome.kind === 'opened') {
      this.#ledger.note(`a start was not refused while the holder was ${condition}`);
      await this.#kill(agent);
      return;
    }
    this.#refusals.push(outcome.milliseconds);
    if (!outcome.reason.includes(IN_USE)) this.#ledger.note(`refused while ${condition}: ${outcome.reason}`);
    this.#idle.push(agent);
  }

  async #taken(agents: readonly Agent[], condition: Condition): Promise<Agent> {
    const outcomes = await Promise.all(agents.map(async (agent) => ({ agent, outcome: await this.#open(agent) })));
    const winners = outcomes.filter(({ outcome }) => outcome.kind === 'opened');
    for (const { agent, outcome } of outcomes) if (outcome.kind === 'refused') this.#idle.push(agent);
    if (winners.length !== 1) {
      this.#ledger.note(
        `${winners.length} owners after the holder was ${condition}: ${JSON.stringify(outcomes.map(({ outcome }) => outcome))}`,
      );
    }
    return winners[0]?.agent ?? (await this.#firstHolder());
  }

  async #replace(holder: Agent, wrong: string): Promise<Agent> {
    this.#ledger.note(wrong);
    await this.#kill(holder);
    return await this.#firstHolder();
  }

  async #firstHolder(): Promise<Agent> {
    const agent = await this.#spare();
    const outcome = await this.#open(agent);
    if (outcome.kind === 'refused') throw new Error(`the store can't be opened: ${outcome.reason}`);
    return agent;
  }

  async #open(agent: Agent): Promise<Extract<AgentReport, { kind: 'opened' | 'refused' }>> {
    try {
      const outcome = await agent.open(this.#directory, `${agent.name}-${this.#names++}`);
      // A process never opens a store again that failed in it.
      if (outcome.kind === 'refused' && !outcome.reason.includes(IN_USE)) await this.#kill(agent);
      return outcome;
    } catch (error) {
      // The process ended, as it does when another one with its number has the store open.
      this.#ledger.note(String(error));
      return { kind: 'refused', reason: String(error), milliseconds: 0 };
    }
  }

  /** Keeps an agent that has closed its store for another start. A process never opens a store again that it has lost. */
  async #retire(agent: Agent): Promise<void> {
    if (this.#ledger.hasLost(agent.name)) return await this.#kill(agent);
    this.#ledger.ended(agent.name);
    this.#idle.push(agent);
  }

  async #kill(agent: Agent): Promise<void> {
    await agent.kill();
    this.#agents.delete(agent);
    this.#ledger.ended(agent.name);
  }

  /** Returns each condition once. */
  #shuffled(): Condition[] {
    return CONDITIONS.map((condition) => ({ condition, key: this.#random.next() }))
      .toSorted((a, b) => a.key - b.key)
      .map(({ condition }) => condition);
  }

  /** Returns an agent that has no store open. */
  async #spare(): Promise<Agent> {
    this.#idle = this.#idle.filter(({ hasEnded }) => !hasEnded);
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const agent = new Agent(`a${this.#names++}`, this.#random.below(MOST_SKIPPED), (report, { name }) => this.#ledger.add(name, report));
    this.#agents.add(agent);
    await agent.ready();
    return agent;
  }
}
