import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LoadProcess } from '../load/load-process.js';
import { Figures, target } from '../measure/figures.js';
import type { Effort, Scenario } from '../scenario.js';
import { SERVER_CPU, startServer } from '../servers/server-process.js';
import { runBareLoop } from './bare-loop-process.js';

const IN_FLIGHT = [1, 16, 256] as const;

/** Acknowledged durable stream::set per second over one worker connection, beside a bare lmdb-js loop that writes the same records. */
export const durableSets: Scenario = {
  name: 'durable-sets',
  async run(effort, say) {
    const figures = new Figures();
    for (let run = 0; run < effort.runs; run++) {
      for (const inFlight of IN_FLIGHT) {
        say(`durable-sets run ${run + 1}/${effort.runs}: ${inFlight} in flight`);
        await inDirectory((directory) => measureEngine(directory, inFlight, effort, figures));
        await inDirectory(async (directory) => {
          const perSecond = await runBareLoop({
            directory,
            inFlight,
            warmUpMs: effort.warmUpMs,
            windowMs: effort.windowMs,
            cpu: SERVER_CPU,
          });
          figures.add(`bare lmdb loop, ${inFlight} in flight`, '/s', perSecond);
        });
      }
    }
    const share = figures.median('rivulet, 256 in flight') / figures.median('bare lmdb loop, 256 in flight');
    return {
      scenario: durableSets.name,
      title: 'Durable stream::set, one worker connection',
      figures: figures.list(),
      targets: [target('rivulet / bare loop, 256 in flight', share, 'at least', 0.5)],
      notes: ['The bare loop does 1 get and 4 puts per write in one transaction, on the same disk and processor, without sockets or JSON.'],
    };
  },
};

async function measureEngine(directory: string, inFlight: number, effort: Effort, figures: Figures): Promise<void> {
  const server = await startServer('rivulet', { directory });
  const load = new LoadProcess();
  try {
    const { warmUpMs, windowMs } = effort;
    const window = await load.measure({
      kind: 'saturate',
      dialect: 'rivulet',
      url: server.writeUrl,
      group: 'room',
      inFlight,
      warmUpMs,
      windowMs,
      pid: server.pid,
    });
    figures.add(`rivulet, ${inFlight} in flight`, '/s', window.acknowledged / window.seconds);
    figures.add(`rivulet, ${inFlight} in flight: answer p50`, 'ms', window.ackP50);
    figures.add(`rivulet, ${inFlight} in flight: answer p99`, 'ms', window.ackP99);
  } finally {
    await load.stop();
    await server.stop();
  }
}

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-bench-'));
  try {
    await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
