import { cpuSince, cpuTime } from '../../measure/process-usage.js';
import { quantile } from '../../measure/statistics.js';
import type { AttachCommand, ComeBackCommand, JitterCommand, PublishCommand, ReturnReport } from './commands.js';
import { DIALECTS } from './dialects.js';
import { ReturningClient, Returns } from './returning-client.js';
import { standpoint } from './standpoint.js';
import { numbered } from './update.js';
import { Meter } from './window.js';
import { Writer } from './writer.js';

const OPENING_AT_ONCE = 100;
const TICK_MS = 5;
const LOOK_MS = 20;
/** Time without any new message after which missing ones count as lost, in milliseconds. */
const SETTLE_MS = 30_000;

/** Clients of one group that check every message and reconnect after each loss, and the writer of the messages. */
export class Crowd {
  readonly #command: AttachCommand;
  readonly #returns = new Returns();
  readonly #clients: ReturningClient[] = [];

  private constructor(command: AttachCommand) {
    this.#command = command;
  }

  /** Resolves when all clients are subscribed. */
  static async attach(command: AttachCommand): Promise<Crowd> {
    const crowd = new Crowd(command);
    const { dialect, url, group, count } = command;
    while (crowd.#clients.length < count) {
      const some = Math.min(OPENING_AT_ONCE, count - crowd.#clients.length);
      for (let n = 0; n < some; n++) crowd.#clients.push(new ReturningClient(url, standpoint(dialect, group), crowd.#returns));
      await until(() => crowd.#returns.back === crowd.#clients.length, SETTLE_MS);
    }
    if (crowd.#returns.back < count) throw new Error(`only ${crowd.#returns.back} of ${count} clients could subscribe`);
    return crowd;
  }

  /**
   * Each client destroys its socket once in each cycle, at its own moment, and opens another one later. The writer publishes all the time.
   */
  async jitter({ url, rate, cycleMs, awayMs, cycles, pid }: JitterCommand): Promise<ReturnReport> {
    const server = cpuTime(pid);
    const own = cpuTime(process.pid);
    const start = performance.now();
    const count = this.#clients.length;
    let left = 0;
    const over = new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const due = Math.min(cycles * count, Math.floor(((performance.now() - start) / cycleMs) * count));
        for (; left < due; left++) this.#clients[left % count]?.leave(awayMs * (0.75 + Math.random() / 2));
        if (due < cycles * count) return;
        clearInterval(timer);
        resolve();
      }, TICK_MS);
    });
    await this.#publish(url, rate, over);
    const seconds = (performance.now() - start) / 1_000;
    const { user, system } = cpuSince(pid, server);
    const loads = cpuSince(process.pid, own);
    await this.#settle();
    return this.#report({ seconds, serverCpu: (user + system) / 1_000, loadCpu: (loads.user + loads.system) / 1_000 });
  }

  /** Publishes for a while, and waits until every client has every message. */
  async publish({ url, rate, windowMs }: PublishCommand): Promise<void> {
    await this.#publish(url, rate, new Promise((resolve) => setTimeout(resolve, windowMs)));
    await until(() => this.#isWhole(), SETTLE_MS);
  }

  /**
   * Waits until the server has dropped its clients and they are back, at most `withinMs`. It publishes again as soon as the server is back.
   */
  async comeBack({ url, rate, withinMs }: ComeBackCommand): Promise<ReturnReport> {
    const returns = this.#returns;
    const count = this.#clients.length;
    await until(() => returns.firstDropAt !== undefined, SETTLE_MS);
    const start = returns.firstDropAt ?? performance.now();
    const own = cpuTime(process.pid);
    const back = until(() => returns.backAt.length >= count && returns.back === count, start + withinMs - performance.now());
    await this.#publish(url, rate, back);
    const seconds = (performance.now() - start) / 1_000;
    const loads = cpuSince(process.pid, own);
    await this.#settle();
    return this.#report({ seconds, serverCpu: Number.NaN, loadCpu: (loads.user + loads.system) / 1_000 });
  }

  async #publish(url: string, rate: number, over: Promise<unknown>): Promise<void> {
    const { dialect, group } = this.#command;
    const returns = this.#returns;
    const meter = new Meter();
    const before = returns.published;
    const writer = await openWhenThere(() => Writer.open(DIALECTS[dialect], url, meter, numbered(before)));
    const count = setInterval(() => {
      returns.published = before + meter.sent;
    }, 1);
    await writer.pace(() => group, rate, over);
    clearInterval(count);
    returns.published = before + meter.sent;
    await until(() => meter.acknowledged + meter.refused === meter.sent, SETTLE_MS);
    writer.close();
  }

  /** Waits while messages still arrive. When none has arrived for `SETTLE_MS`, the missing ones count as lost. */
  async #settle(): Promise<void> {
    for (let arrived = -1, now = this.#arrived(); now > arrived; now = this.#arrived()) {
      arrived = now;
      await until(() => this.#isWhole(), SETTLE_MS);
      if (this.#isWhole()) break;
    }
    const { published } = this.#returns;
    for (const { last } of this.#clients) this.#returns.lost += published - last;
  }

  #arrived(): number {
    return this.#clients.reduce((sum, { last }) => sum + last, this.#returns.back);
  }

  #isWhole(): boolean {
    const { back, published } = this.#returns;
    return back === this.#clients.length && this.#clients.every(({ last }) => last === published);
  }

  #report(used: Pick<ReturnReport, 'seconds' | 'serverCpu' | 'loadCpu'>): ReturnReport {
    const { replay, open, failed, backAt, firstDropAt = Number.NaN, published, lost, repeated, anew, returned } = this.#returns;
    const count = this.#clients.length;
    const backMs = backAt.map((at) => at - firstDropAt);
    const after = (share: number) => (backMs.length < share * count ? Number.NaN : quantile(backMs, (share * count - 1) / backMs.length));
    return {
      ...used,
      published,
      deliveredShare: 1 - lost / (published * count),
      lost,
      repeated,
      returned,
      anew,
      failed,
      openP99: open.at(0.99),
      replayP50: replay.at(0.5),
      replayP99: replay.at(0.99),
      backAfter99Ms: after(0.99),
      backAfterAllMs: after(1),
      backMs,
    };
  }
}

/** Resolves when the condition is true, or when the time is over. */
async function until(isTrue: () => boolean, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  while (!isTrue() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

/** Tries to connect until the server accepts. */
async function openWhenThere(open: () => Promise<Writer>): Promise<Writer> {
  const end = performance.now() + SETTLE_MS;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
