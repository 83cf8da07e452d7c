import { sinkBinary } from '../../load/clients/sink-binary.js';
import { LoadProcess } from '../../load/load-process.js';
import { Figures, target } from '../../measure/figures.js';
import { anonymousMemory } from '../../measure/process-usage.js';
import type { Effort, Scenario } from '../../scenario.js';
import { startServer } from '../../servers/server-process.js';
import { fill } from './fill.js';

const SUBSCRIBERS = 1_000;
const MESSAGES = 32_000;
const LOOK_MS = 20;
const MIB = 1_048_576;

/** Measures the memory that the engine keeps for 1,000 subscribers of a group that all stop reading. */
export const allStalled: Scenario = {
  name: 'all-stalled',
  async run(effort, say) {
    const figures = new Figures();
    for (let run = 0; run < effort.runs; run++) {
      for (const turn of ['all reading', 'all stalled'] as const) {
        say(`all-stalled run ${run + 1}/${effort.runs}: ${turn}`);
        await measure(turn, effort, figures);
      }
    }
    const runs = (name: string) => figures.list().find((figure) => figure.name === name)?.runs ?? [];
    return {
      scenario: allStalled.name,
      title: 'All of 1,000 clients stalled',
      figures: figures.list(),
      targets: [
        target('memory grown, in MiB', figures.median('all stalled: memory grown by at most'), 'at most', 64),
        target('bytes of the largest session', Math.max(...runs('all stalled: largest session')), 'at most', 262_144),
      ],
      notes: [
        `${MESSAGES.toLocaleString('en')} messages of 200 bytes, several times the kernel buffer of a connection. The peer is the same engine while all read.`,
        `Anonymous memory of the engine, sampled every ${LOOK_MS} ms, beyond that with all subscribed, after garbage collection. It includes the log of the group, and garbage.`,
      ],
    };
  },
};

async function measure(turn: 'all reading' | 'all stalled', effort: Effort, figures: Figures): Promise<void> {
  const server = await startServer('rivulet');
  const load = new LoadProcess();
  const count = Math.ceil(SUBSCRIBERS * effort.scale);
  const binary = sinkBinary();
  const watch = { dialect: 'rivulet', url: server.watchUrl, group: 'room', count } as const;
  try {
    if (turn === 'all stalled') await load.execute({ kind: 'stall', binary, ...watch, bytesPerSecond: 0 });
    else if (binary === undefined) await load.execute({ kind: 'watch', ...watch });
    else await load.execute({ kind: 'sink', binary, ...watch });
    await server.ask('gc');
    const before = anonymousMemory(server.pid);
    let most = before;
    const look = setInterval(() => {
      most = Math.max(most, anonymousMemory(server.pid));
    }, LOOK_MS);
    await fill(load, server, 'room', MESSAGES * effort.scale);
    clearInterval(look);
    const { largestSessionBytes = Number.NaN, sessions = Number.NaN } = await server.ask('figures');
    await server.ask('gc');
    figures.add(`${turn}: memory grown by at most`, 'MiB', (most - before) / MIB);
    figures.add(`${turn}: memory grown, after garbage collection`, 'MiB', (anonymousMemory(server.pid) - before) / MIB);
    figures.add(`${turn}: largest session`, 'B', largestSessionBytes);
    figures.add(`${turn}: disconnected`, '', count - sessions);
  } finally {
    await load.stop();
    await server.stop();
  }
}
