import { LoadProcess } from '../../load/load-process.js';
import { Figures, target } from '../../measure/figures.js';
import { median } from '../../measure/statistics.js';
import type { Effort, Scenario } from '../../scenario.js';
import { type ServerProcess, startServer } from '../../servers/server-process.js';
import { fill } from '../readers/fill.js';

const READERS = 1_000;
const SAMPLED = 50;
/** Messages a second. The load has no reader of event streams in C, so its own work must stay small. */
const RATE = 100;
const WINDOWS = 9;
const GROUP = 'room';
/** Only the stalled reader has this group, so the others get nothing of what fills the buffers of the kernel. */
const FILLED = 'filled';
const FILL_MESSAGES = 40_000;

/** Measures an event stream whose client stops reading beside 1,000 others: its effect on them, and its cost. */
export const stalledEvents: Scenario = {
  name: 'stalled-events',
  async run(effort, say) {
    const figures = new Figures();
    const count = Math.ceil(READERS * effort.scale);
    const server = await startServer('rivulet');
    const load = new LoadProcess();
    const url = server.watchUrl.replace('ws:', 'http:');
    try {
      await load.execute({ kind: 'watch-events', url, groups: [GROUP], count, sampled: Math.min(SAMPLED, count) });
      const reading = () => measure('all reading', load, server, effort, figures);
      const stalled = async () => {
        await load.execute({ kind: 'stall-events', url, groups: [GROUP, FILLED] });
        await measure('one stalled', load, server, effort, figures);
        const { largestSessionBytes = Number.NaN, sessions = Number.NaN } = await server.ask('figures');
        figures.add('one stalled: bytes that its session owns', 'B', largestSessionBytes);
        figures.add('one stalled: disconnected', '', count + 1 - sessions);
        await load.execute({ kind: 'end-stall' });
      };
      const windows = Math.min(WINDOWS, effort.runs * 2 - 1);
      for (let window = 0; window < windows; window++) {
        say(`stalled-events window ${window + 1}/${windows}`);
        for (const turn of window % 2 === 0 ? [reading, stalled] : [stalled, reading]) await turn();
      }
    } finally {
      await load.stop();
      await server.stop();
    }
    const runs = (name: string) => figures.list().find((figure) => figure.name === name)?.runs ?? [];
    const alone = runs('all reading: p99 of the others');
    const ratios = runs('one stalled: p99 of the others').map((value, window) => value / (alone[window] ?? Number.NaN));
    return {
      scenario: stalledEvents.name,
      title: `One stalled event stream among ${READERS.toLocaleString('en')} (${RATE} messages/s)`,
      figures: [...figures.list(), { name: 'p99 of the other event streams, ratio', unit: '', runs: ratios, median: median(ratios) }],
      targets: [
        target('p99 of the other event streams, ratio', median(ratios), 'at most', 1.2),
        target('bytes of its session', Math.max(...runs('one stalled: bytes that its session owns')), 'at most', 262_144),
        target('times that it was disconnected', Math.max(...runs('one stalled: disconnected')), 'at most', 0),
      ],
      notes: [
        'The peer is the same engine a moment before, with all clients reading.',
        'The stalled reader has a second group, which fills the buffers of the kernel.',
      ],
    };
  },
};

async function measure(name: string, load: LoadProcess, server: ServerProcess, effort: Effort, figures: Figures): Promise<void> {
  const { warmUpMs, windowMs, scale } = effort;
  // From here on the engine must keep what the stalled reader misses. Turns without it get the same.
  await fill(load, server, FILLED, FILL_MESSAGES * scale);
  const pace = { kind: 'pace', dialect: 'rivulet', url: server.writeUrl, group: GROUP, rate: RATE, pid: server.pid } as const;
  const window = await load.measure({ ...pace, warmUpMs, windowMs });
  figures.add(`${name}: p50 of the others`, 'ms', window.deliveryP50);
  figures.add(`${name}: p99 of the others`, 'ms', window.deliveryP99);
}
