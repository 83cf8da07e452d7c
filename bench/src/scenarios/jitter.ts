import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LoadProcess } from '../load/load-process.js';
import { Figures, target } from '../measure/figures.js';
import type { Effort, Scenario } from '../scenario.js';
import { startServer } from '../servers/server-process.js';

const CYCLES = 2;
/**
 * Factors of the length of a window. At 4 s, a client destroys its socket every 15 s for about 2 s, and the writer publishes 2 messages a
 * second.
 */
const CYCLE_WINDOWS = 15 / 4;
const AWAY_WINDOWS = 2 / 4;
const MESSAGES_PER_WINDOW = 2 * 4;
const LOAD_BOUND = 0.9;

const TURNS = [
  { name: '10,000 of rivulet', dialect: 'rivulet', clients: 10_000 },
  { name: '2,000 of rivulet', dialect: 'rivulet', clients: 2_000 },
  { name: '2,000 of socket.io', dialect: 'socket.io', clients: 2_000 },
] as const;

/** Measures subscribers whose connections break all the time, as on a train: whether they get every message, and how fast they catch up. */
export const jitter: Scenario = {
  name: 'jitter',
  async run(effort, say) {
    const figures = new Figures();
    const loadBound = new Set<string>();
    for (let run = 0; run < effort.runs; run++) {
      for (const turn of run % 2 === 0 ? TURNS : TURNS.toReversed()) {
        say(`jitter run ${run + 1}/${effort.runs}: ${turn.name}`);
        await measure(turn, effort, figures, loadBound);
      }
    }
    const least = (name: string) => Math.min(...(figures.list().find((figure) => figure.name === name)?.runs ?? []));
    const most = (name: string) => Math.max(...(figures.list().find((figure) => figure.name === name)?.runs ?? []));
    const notes = [
      'Each client destroys its socket every 15 s for about 2 s, at its own moment, while 2 messages per second are published. It checks every message number. A repeated message arrives a second time, or after a later one.',
      'The replay takes from the open event of the socket to the last message published before it. Clients without a resumption are left out. Rivulet has a durable store; Socket.IO has connection-state recovery.',
      'Published figures of others for 10,000 such clients, p99 of the replay: Socket.IO 4.6 s, AnyCable 6.1 s.',
    ];
    if (loadBound.size > 0)
      notes.push(`The load generator was the bottleneck (over ${LOAD_BOUND * 100} % of its processor) in: ${[...loadBound].join(', ')}.`);
    return {
      scenario: jitter.name,
      title: 'Clients that lose their connection every 15 s',
      figures: figures.list(),
      targets: [
        target('share delivered to 10,000 clients', least('10,000 of rivulet: share delivered'), 'at least', 1),
        target('repeated', Math.max(most('10,000 of rivulet: repeated'), most('2,000 of rivulet: repeated')), 'at most', 0),
        target('replay p99 with 10,000 clients, in ms', figures.median('10,000 of rivulet: replay p99'), 'at most', 1_000),
        target('share delivered to 2,000 clients', least('2,000 of rivulet: share delivered'), 'at least', 1),
      ],
      notes,
    };
  },
};

async function measure(turn: (typeof TURNS)[number], effort: Effort, figures: Figures, loadBound: Set<string>): Promise<void> {
  const { name, dialect } = turn;
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-bench-'));
  const server = await startServer(dialect, { directory, recovers: true });
  const load = new LoadProcess();
  try {
    const count = Math.ceil(turn.clients * effort.scale);
    await load.execute({ kind: 'attach', dialect, url: server.watchUrl, group: 'room', count });
    const { windowMs } = effort;
    const report = await load.returns({
      kind: 'jitter',
      url: server.writeUrl,
      rate: (MESSAGES_PER_WINDOW / windowMs) * 1_000,
      cycleMs: CYCLE_WINDOWS * windowMs,
      awayMs: AWAY_WINDOWS * windowMs,
      cycles: CYCLES,
      pid: server.pid,
    });
    figures.add(`${name}: share delivered`, '', report.deliveredShare);
    figures.add(`${name}: lost`, '', report.lost);
    figures.add(`${name}: repeated`, '', report.repeated);
    figures.add(`${name}: returns`, '', report.returned);
    figures.add(`${name}: began anew`, '', report.anew);
    figures.add(`${name}: attempts that failed`, '', report.failed);
    figures.add(`${name}: opening p99`, 'ms', report.openP99);
    figures.add(`${name}: replay p50`, 'ms', report.replayP50);
    figures.add(`${name}: replay p99`, 'ms', report.replayP99);
    figures.add(`${name}: server CPU`, '', report.serverCpu / report.seconds);
    figures.add(`${name}: load CPU`, '', report.loadCpu / report.seconds);
    if (report.loadCpu / report.seconds > LOAD_BOUND) loadBound.add(name);
  } finally {
    await load.stop();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
