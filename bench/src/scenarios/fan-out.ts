import { sinkBinary } from '../load/clients/sink-binary.js';
import { LoadProcess } from '../load/load-process.js';
import { beforeTarget, Figures, target } from '../measure/figures.js';
import type { Effort, Scenario, ScenarioResult } from '../scenario.js';
import { dialectOf, type FanOutName, isAvailable, startServer, withBefore } from '../servers/server-process.js';

const SUBSCRIBERS = 1_000;
/** Offered rates, in updates per second. No server reaches the last one, so it shows the peak of each. */
const RATES = [100, 1_000, 4_000, 16_000] as const;
/** Subscribers that measure latency. The other ones count. */
const SAMPLED = 20;
/** Share of its processor above which the load may have limited the server. */
const LOAD_BOUND = 0.9;

type Compared = FanOutName | 'before';

/** Measures one group with 1,000 subscribers. One writer sends updates of 200 bytes at several rates. */
export const fanOut: Scenario = {
  name: 'fan-out',
  async run(effort, say) {
    const servers: readonly Compared[] = withBefore((['rivulet', 'socket.io', 'uwebsockets'] as const).filter(isAvailable), effort.before);
    const figures = new Figures();
    const loadBound = new Set<string>();
    for (let run = 0; run < effort.runs; run++) {
      for (const server of servers) {
        for (const rate of RATES) {
          say(`fan-out run ${run + 1}/${effort.runs}: ${server} at ${rate} messages/s`);
          await measure(server, rate, effort, figures, loadBound);
        }
      }
    }
    return report(servers, figures, loadBound);
  },
};

async function measure(name: Compared, rate: number, effort: Effort, figures: Figures, loadBound: Set<string>): Promise<void> {
  const dialect = dialectOf(name);
  const server = await startServer(name, {}, effort.before);
  const load = new LoadProcess();
  try {
    const count = Math.ceil(SUBSCRIBERS * effort.scale);
    const group = 'room';
    const sampled = Math.min(SAMPLED, count);
    const watch = { dialect, url: server.watchUrl, group } as const;
    const binary = sinkBinary();
    if (binary !== undefined) await load.execute({ kind: 'sink', binary, ...watch, count: count - sampled });
    await load.execute({ kind: 'watch', ...watch, count: binary === undefined ? count : sampled, sampled });
    const { warmUpMs, windowMs } = effort;
    const window = await load.measure({
      kind: 'pace',
      dialect,
      url: server.writeUrl,
      group,
      rate,
      warmUpMs,
      windowMs,
      pid: server.pid,
    });
    const at = `${name} at ${rate}/s`;
    figures.add(`${at}: deliveries`, '/s', window.deliveries / window.seconds);
    figures.add(`${at}: delivery p99`, 'ms', window.deliveryP99);
    figures.add(`${at}: server CPU per delivery`, 'µs', ((window.serverUser + window.serverSystem) * 1_000) / window.deliveries);
    figures.add(`${at}: user CPU / kernel CPU`, '', window.serverUser / window.serverSystem);
    figures.add(`${at}: load CPU`, '', window.loadCpu);
    if (window.loadCpu > LOAD_BOUND) loadBound.add(at);
  } finally {
    await load.stop();
    await server.stop();
  }
}

function report(servers: readonly Compared[], figures: Figures, loadBound: ReadonlySet<string>): ScenarioResult {
  const peak = (name: Compared) => Math.max(...RATES.map((rate) => figures.median(`${name} at ${rate}/s: deliveries`)));
  const targets = [
    target("peak deliveries/s, as a multiple of Socket.IO's", peak('rivulet') / peak('socket.io'), 'at least', 20),
    target('delivery p99 at 1,000/s, in ms', figures.median('rivulet at 1000/s: delivery p99'), 'at most', 50),
    target('user CPU / kernel CPU at 100/s', figures.median('rivulet at 100/s: user CPU / kernel CPU'), 'at most', 0.5),
  ];
  if (servers.includes('uwebsockets'))
    targets.push(target("peak deliveries/s, as a multiple of native uWebSockets'", peak('rivulet') / peak('uwebsockets'), 'at least', 1.5));
  if (servers.includes('before')) {
    targets.push(beforeTarget('peak deliveries/s', peak('rivulet'), peak('before'), 'higher'));
    for (const rate of [1_000, 4_000]) {
      const cost = (name: Compared) => figures.median(`${name} at ${rate}/s: server CPU per delivery`);
      targets.push(beforeTarget(`server CPU per delivery at ${rate}/s`, cost('rivulet'), cost('before'), 'lower'));
    }
  }
  const notes = [
    'Updates have 200 bytes. All servers push the same text, the frame that Rivulet makes of an update. Rivulet also stores and acknowledges each update.',
    'Latency counts from the planned time of a message.',
  ];
  if (!servers.includes('uwebsockets')) notes.push('Native uWebSockets was left out: no binary of bun for this platform.');
  if (loadBound.size > 0)
    notes.push(`The load generator was the bottleneck (over ${LOAD_BOUND * 100} % of its processor) in: ${[...loadBound].join(', ')}.`);
  return { scenario: fanOut.name, title: 'Fan-out to 1,000 subscribers of one group', figures: figures.list(), targets, notes };
}
