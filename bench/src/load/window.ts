import { cpuSince, cpuTime } from '../measure/process-usage.js';
import { Latencies } from '../measure/statistics.js';
import type { WindowReport } from './commands.js';
import type { Sink } from './sink.js';

/** Counts of the whole load; a window is the difference of two looks at them. */
export class Meter {
  sent = 0;
  acknowledged = 0;
  deliveries = 0;
  /** Subscribers that are counted elsewhere. */
  sink: Sink | undefined;
  readonly delivery = new Latencies();
  readonly ack = new Latencies();

  /** Waits out the warm-up, then measures one window. The load runs on meanwhile. */
  async window(pid: number, warmUpMs: number, windowMs: number): Promise<WindowReport> {
    await elapse(warmUpMs);
    this.delivery.clear();
    this.ack.clear();
    const sunk = (await this.sink?.frames()) ?? 0;
    const { sent, acknowledged, deliveries } = this;
    const loads = this.sink === undefined ? [process.pid] : [process.pid, this.sink.pid];
    const server = cpuTime(pid);
    const before = loads.map(cpuTime);
    const start = performance.now();
    await elapse(windowMs);
    const nowSunk = (await this.sink?.frames()) ?? 0;
    const seconds = (performance.now() - start) / 1_000;
    const used = cpuSince(pid, server);
    const own = loads.map((load, index) => cpuSince(load, before[index] ?? { user: 0, system: 0 }));
    const loadMs = own.reduce((sum, { user, system }) => sum + user + system, 0);
    return {
      sent: this.sent - sent,
      acknowledged: this.acknowledged - acknowledged,
      deliveries: this.deliveries - deliveries + nowSunk - sunk,
      seconds,
      deliveryP50: this.delivery.at(0.5),
      deliveryP99: this.delivery.at(0.99),
      ackP50: this.ack.at(0.5),
      ackP99: this.ack.at(0.99),
      serverUser: used.user,
      serverSystem: used.system,
      loadCpu: loadMs / 1_000 / seconds,
    };
  }
}

function elapse(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
