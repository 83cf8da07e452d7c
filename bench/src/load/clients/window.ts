import { type CpuTime, cpuSince, cpuTime } from '../../measure/process-usage.js';
import { Latencies } from '../../measure/statistics.js';
import type { PaceCommand, WindowReport } from './commands.js';
import type { Sink } from './sink.js';

export type WindowOptions = Pick<PaceCommand, 'pid' | 'others' | 'warmUpMs' | 'windowMs'>;

/** Counts since the start of the load. A window is the difference of two readings. */
export class Meter {
  sent = 0;
  acknowledged = 0;
  /** Writes that were answered with an error. */
  refused = 0;
  deliveries = 0;
  /** Deliveries that another process counts. */
  readonly sinks: Sink[] = [];
  readonly delivery = new Latencies();
  readonly ack = new Latencies();

  /** Waits for the warm-up to end, then measures one window. The load runs on meanwhile. */
  async window({ pid, others = [], warmUpMs, windowMs }: WindowOptions): Promise<WindowReport> {
    await elapse(warmUpMs);
    this.delivery.clear();
    this.ack.clear();
    const sunk = await this.#sunk();
    const { sent, acknowledged, refused, deliveries } = this;
    const server = cpuTime(pid);
    const beside = others.map(cpuTime);
    const loads = [process.pid, ...this.sinks.map((sink) => sink.pid)];
    const before = loads.map(cpuTime);
    const start = performance.now();
    await elapse(windowMs);
    const nowSunk = await this.#sunk();
    const seconds = (performance.now() - start) / 1_000;
    const used = cpuSince(pid, server);
    const loadMs = together(loads, before).reduce((sum, time) => sum + time, 0);
    return {
      sent: this.sent - sent,
      acknowledged: this.acknowledged - acknowledged,
      refused: this.refused - refused,
      deliveries: this.deliveries - deliveries + nowSunk - sunk,
      seconds,
      deliveryP50: this.delivery.at(0.5),
      deliveryP99: this.delivery.at(0.99),
      ackP50: this.ack.at(0.5),
      ackP99: this.ack.at(0.99),
      serverUser: used.user,
      serverSystem: used.system,
      others: together(others, beside),
      loadCpu: loadMs / 1_000 / seconds,
    };
  }

  async #sunk(): Promise<number> {
    const frames = await Promise.all(this.sinks.map((sink) => sink.frames()));
    return frames.reduce((sum, each) => sum + each, 0);
  }
}

/** Returns user and kernel time of each process since the first reading. */
function together(pids: readonly number[], before: readonly CpuTime[]): number[] {
  return pids.map((pid, index) => {
    const { user, system } = cpuSince(pid, before[index] ?? { user: 0, system: 0 });
    return user + system;
  });
}

function elapse(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
