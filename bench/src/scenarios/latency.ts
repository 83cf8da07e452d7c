import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LoadProcess } from '../load/load-process.js';
import { beforeTarget, Figures, target } from '../measure/figures.js';
import type { Scenario } from '../scenario.js';
import { dialectOf, startServer, withBefore } from '../servers/server-process.js';

const RATE = 1_000;

/**
 * Measures the time from the planned moment of a write to its answer, and to its one subscriber, at 1,000 writes/s. The answer of Rivulet
 * means that the write is on the disk.
 */
export const latency: Scenario = {
  name: 'latency',
  async run(effort, say) {
    const figures = new Figures();
    for (let run = 0; run < effort.runs; run++) {
      for (const name of withBefore(['rivulet', 'socket.io'] as const, effort.before)) {
        say(`latency run ${run + 1}/${effort.runs}: ${name}`);
        const directory = mkdtempSync(join(tmpdir(), 'rivulet-bench-'));
        const server = await startServer(name, { directory }, effort.before);
        const dialect = dialectOf(name);
        const load = new LoadProcess();
        try {
          await load.execute({ kind: 'watch', dialect, url: server.watchUrl, count: 1, group: 'room', sampled: 1 });
          const window = await load.measure({
            kind: 'pace',
            dialect,
            url: server.writeUrl,
            group: 'room',
            rate: RATE,
            warmUpMs: effort.warmUpMs,
            windowMs: effort.windowMs,
            pid: server.pid,
          });
          figures.add(`${name}: answer p50`, 'ms', window.ackP50);
          figures.add(`${name}: answer p99`, 'ms', window.ackP99);
          figures.add(`${name}: delivery p50`, 'ms', window.deliveryP50);
          figures.add(`${name}: delivery p99`, 'ms', window.deliveryP99);
          figures.add(`${name}: server CPU per write`, 'µs', ((window.serverUser + window.serverSystem) * 1_000) / window.acknowledged);
        } finally {
          await load.stop();
          await server.stop();
          rmSync(directory, { recursive: true, force: true });
        }
      }
    }
    const targets = [
      target('answer p50, in ms', figures.median('rivulet: answer p50'), 'at most', 2),
      target('delivery p50, in ms', figures.median('rivulet: delivery p50'), 'at most', 2),
    ];
    if (effort.before !== undefined) {
      for (const figure of ['answer p50', 'delivery p50', 'server CPU per write'])
        targets.push(beforeTarget(figure, figures.median(`rivulet: ${figure}`), figures.median(`before: ${figure}`), 'lower'));
    }
    return {
      scenario: latency.name,
      title: 'Latency at 1,000 writes/s (ours durable, Socket.IO in memory)',
      figures: figures.list(),
      targets,
      notes: [
        'A write is planned for every millisecond and sent on timer ticks, so up to 1 ms of each latency belongs to the load generator.',
      ],
    };
  },
};
