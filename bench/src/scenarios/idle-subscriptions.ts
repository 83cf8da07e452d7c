import { LoadProcess } from '../load/load-process.js';
import { Figures, target } from '../measure/figures.js';
import { median } from '../measure/statistics.js';
import type { Effort, Scenario } from '../scenario.js';
import { type ServerProcess, startServer } from '../servers/server-process.js';

const IDLE = 10_000;
const WATCHING = 100;
/** Length of a window in milliseconds. The kernel samples processor time 100 times a second, so short windows would mean nothing. */
const RATE = 4_000;
const WINDOWS = 9;

/** Runs two engines, one of them with 10,000 subscriptions in other groups. Windows of the same load alternate between them. */
export const idleSubscriptions: Scenario = {
  name: 'idle-subscriptions',
  async run(effort, say) {
    const figures = new Figures();
    const sides = [await startSide('alone', 0, effort), await startSide('with idle subscriptions', Math.ceil(IDLE * effort.scale), effort)];
    try {
      const windows = Math.min(WINDOWS, effort.runs * 2 - 1);
      for (let window = 0; window < windows; window++) {
        // The second side runs on a warmer machine, so the sides take turns in going first.
        for (const side of window % 2 === 0 ? sides : sides.toReversed()) {
          say(`idle-subscriptions window ${window + 1}/${windows}: ${side.name}`);
          await measure(side, effort, figures);
        }
      }
    } finally {
      for (const side of sides) {
        await side.load.stop();
        await side.server.stop();
      }
    }
    const runs = (name: string) => figures.list().find((figure) => figure.name === name)?.runs ?? [];
    const alone = runs('alone: user CPU per event');
    const ratios = runs('with idle subscriptions: user CPU per event').map((value, window) => value / (alone[window] ?? Number.NaN));
    return {
      scenario: idleSubscriptions.name,
      title: `The cost of ${IDLE.toLocaleString('en')} idle subscriptions in other groups for an event`,
      figures: [...figures.list(), { name: 'user CPU per event, ratio', unit: '', runs: ratios, median: median(ratios) }],
      targets: [
        target('subscriptions that a flush visits', figures.median('with idle subscriptions: visited per flush'), 'at most', WATCHING),
        target('user CPU per event, ratio', median(ratios), 'at most', 1.1),
      ],
      notes: [`${WATCHING} subscribers, ${RATE} events/s. The peer is our own engine without the idle subscriptions.`],
    };
  },
};

interface Side {
  readonly name: string;
  readonly server: ServerProcess;
  readonly load: LoadProcess;
}

async function startSide(name: string, idle: number, effort: Effort): Promise<Side> {
  const server = await startServer('rivulet');
  const load = new LoadProcess();
  const watch = { kind: 'watch', dialect: 'rivulet', url: server.watchUrl } as const;
  await load.execute({ ...watch, count: idle, group: 'idle', apart: true });
  await load.execute({ ...watch, count: Math.min(WATCHING, Math.ceil(WATCHING * effort.scale * 10)), group: 'room' });
  return { name, server, load };
}

async function measure({ name, server, load }: Side, effort: Effort, figures: Figures): Promise<void> {
  const before = await server.ask('figures');
  const { warmUpMs, windowMs } = effort;
  const window = await load.measure({
    kind: 'pace',
    dialect: 'rivulet',
    url: server.writeUrl,
    group: 'room',
    rate: RATE,
    warmUpMs,
    windowMs,
    pid: server.pid,
  });
  const after = await server.ask('figures');
  const grown = (figure: string) => (after[figure] ?? 0) - (before[figure] ?? 0);
  figures.add(`${name}: user CPU per event`, 'µs', (window.serverUser * 1_000) / window.sent);
  figures.add(`${name}: visited per flush`, '', grown('visited') / grown('flushes'));
}
