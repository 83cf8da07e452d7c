import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LoadProcess } from '../load/load-process.js';
import { Figures, target } from '../measure/figures.js';
import type { Effort, Scenario } from '../scenario.js';
import { freePorts } from '../servers/free-ports.js';
import { startServer } from '../servers/server-process.js';

const CLIENTS = 10_000;
const PROMISED_MS = 15_000;
/** Longest wait for the return of all clients, in milliseconds. */
const WITHIN_MS = 45_000;
/** Messages per second. Each one costs the server 10,000 writes, and a higher rate would hide the cost of the return. */
const RATE = 2;

/** Kills the server of 10,000 clients, starts it again at once, and measures their return. */
export const avalanche: Scenario = {
  name: 'avalanche',
  async run(effort, say) {
    const figures = new Figures();
    const servers = ['rivulet', 'socket.io'] as const;
    for (let run = 0; run < effort.runs; run++) {
      for (const name of run % 2 === 0 ? servers : servers.toReversed()) {
        say(`avalanche run ${run + 1}/${effort.runs}: ${name}`);
        await measure(name, effort, figures);
      }
    }
    const runs = (name: string) => figures.list().find((figure) => figure.name === name)?.runs ?? [];
    return {
      scenario: avalanche.name,
      title: `The server killed under ${CLIENTS.toLocaleString('en')} clients`,
      figures: figures.list(),
      targets: [
        target('share back within 15 s', Math.min(...runs('rivulet: share back within 15 s')), 'at least', 1),
        target('clients that got a snapshot', Math.max(...runs('rivulet: began anew')), 'at most', 0),
        target('messages lost or repeated', Math.max(...runs('rivulet: lost')) + Math.max(...runs('rivulet: repeated')), 'at most', 0),
        target('event-loop delay p99 meanwhile, in ms', figures.median('rivulet: event-loop delay p99'), 'at most', 100),
      ],
      notes: [
        'The server gets SIGKILL and starts again at once on the same ports; Rivulet with the same durable directory. Time counts from the first lost connection. A client is back when it has every message published before its socket opened.',
        `Clients try again with full jitter: within 1 s at first, then within 0.5 s, doubling up to 20 s. ${RATE} messages per second are published as soon as the server takes them.`,
        'A timer of 10 ms measures the event-loop delay of the new process, from its start until all clients are back. Socket.IO has connection-state recovery in memory, which a restart ends.',
      ],
    };
  },
};

async function measure(name: 'rivulet' | 'socket.io', effort: Effort, figures: Figures): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-bench-'));
  const options = { directory, ports: await freePorts(), recovers: true, watchesLoop: true };
  let server = await startServer(name, options);
  const load = new LoadProcess();
  try {
    const count = Math.ceil(CLIENTS * effort.scale);
    await load.execute({ kind: 'attach', dialect: name, url: server.watchUrl, group: 'room', count });
    await load.execute({ kind: 'publish', url: server.writeUrl, rate: RATE, windowMs: effort.windowMs });
    const restart = async () => {
      const killed = performance.now();
      await server.stop();
      server = await startServer(name, options);
      return performance.now() - killed;
    };
    const report = load.returns({ kind: 'come-back', url: server.writeUrl, rate: RATE, withinMs: WITHIN_MS });
    const [{ backMs, ...seen }, restartMs] = await Promise.all([report, restart()]);
    const loop = await server.ask('loop-delay');
    figures.add(`${name}: share back within 15 s`, '', backMs.filter((ms) => ms <= PROMISED_MS).length / count);
    figures.add(`${name}: listening again after`, 's', restartMs / 1_000);
    figures.add(`${name}: 99 % back after`, 's', seen.backAfter99Ms / 1_000);
    figures.add(`${name}: all back after`, 's', seen.backAfterAllMs / 1_000);
    figures.add(`${name}: began anew`, '', seen.anew);
    figures.add(`${name}: lost`, '', seen.lost);
    figures.add(`${name}: repeated`, '', seen.repeated);
    figures.add(`${name}: attempts that failed`, '', seen.failed);
    figures.add(`${name}: opening p99`, 'ms', seen.openP99);
    figures.add(`${name}: replay p99`, 'ms', seen.replayP99);
    figures.add(`${name}: event-loop delay p99`, 'ms', loop['p99'] ?? Number.NaN);
    figures.add(`${name}: event-loop delay at most`, 'ms', loop['max'] ?? Number.NaN);
    figures.add(`${name}: load CPU`, '', seen.loadCpu / seen.seconds);
  } finally {
    await load.stop();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
