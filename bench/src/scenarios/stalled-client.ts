import { LoadProcess } from '../load/load-process.js';
import { sinkBinary } from '../load/sink-binary.js';
import { Figures, target } from '../measure/figures.js';
import { median } from '../measure/statistics.js';
import type { Scenario } from '../scenario.js';
import { startServer } from '../servers/server-process.js';

const SUBSCRIBERS = 1_000;
const RATE = 1_000;
const FILL_RATE = 4_000;
const SAMPLED = 50;
const WINDOWS = 9;

/** One client of 1,000 stops reading: what the others notice, and what it costs the engine. */
export const stalledClient: Scenario = {
  name: 'stalled-client',
  async run(effort, say) {
    const figures = new Figures();
    const server = await startServer('rivulet');
    const load = new LoadProcess();
    const group = 'room';
    const binary = sinkBinary();
    const watch = { dialect: 'rivulet', url: server.watchUrl, group } as const;
    try {
      const count = Math.ceil(SUBSCRIBERS * effort.scale);
      const sampled = Math.min(SAMPLED, count);
      if (binary !== undefined) await load.tell({ kind: 'sink', binary, ...watch, count: count - sampled });
      await load.tell({ kind: 'watch', ...watch, count: binary === undefined ? count : sampled, sampled });
      const windows = Math.min(WINDOWS, effort.runs * 2 - 1);
      const write = (rate: number, warmUpMs: number, windowMs: number) =>
        load.measure({ kind: 'pace', dialect: 'rivulet', url: server.writeUrl, group, rate, warmUpMs, windowMs, pid: server.pid });
      const measure = async (name: string) => {
        // More than the kernel keeps for a connection: from here on the stalled one is the engine's business. The other turns get the same.
        await write(FILL_RATE, 0, effort.windowMs);
        const window = await write(RATE, effort.warmUpMs, effort.windowMs);
        figures.add(`${name}: p50 of the others`, 'ms', window.deliveryP50);
        figures.add(`${name}: p99 of the others`, 'ms', window.deliveryP99);
      };
      const withStalled = async () => {
        await load.tell({ kind: 'stall', binary, ...watch });
        await measure('one stalled');
        figures.add('one stalled: bytes that its session owns', 'B', (await server.ask('figures')).largestSessionBytes ?? Number.NaN);
        await load.tell({ kind: 'end-stall' });
      };
      for (let window = 0; window < windows; window++) {
        say(`stalled-client window ${window + 1}/${windows}`);
        const turns = [() => measure('all reading'), withStalled];
        for (const turn of window % 2 === 0 ? turns : turns.toReversed()) await turn();
      }
    } finally {
      await load.stop();
      await server.stop();
    }
    const runs = (name: string) => figures.list().find((figure) => figure.name === name)?.runs ?? [];
    const reading = runs('all reading: p99 of the others');
    const ratios = runs('one stalled: p99 of the others').map((value, window) => value / (reading[window] ?? Number.NaN));
    return {
      scenario: stalledClient.name,
      title: 'One stalled client among 1,000 (1,000 messages/s)',
      figures: [...figures.list(), { name: 'p99 of the others, ratio', unit: '', runs: ratios, median: median(ratios) }],
      targets: [
        target('p99 of the others, ratio', median(ratios), 'at most', 1.2),
        target('bytes of the stalled session', Math.max(...runs('one stalled: bytes that its session owns')), 'at most', 262_144),
      ],
      notes: ['The peer is the same engine a moment before, with all clients reading.'],
    };
  },
};
