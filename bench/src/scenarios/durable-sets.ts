import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LoadProcess } from '../load/load-process.js';
import { beforeTarget, Figures, target } from '../measure/figures.js';
import type { Effort, Scenario } from '../scenario.js';
import { SERVER_CPU, startServer, withBefore } from '../servers/server-process.js';
import { runBareLoop } from './bare-loop-process.js';

const IN_FLIGHT = [1, 16, 256] as const;

/**
 * Measures acknowledged durable stream::set calls per second over one worker connection, beside a bare lmdb-js loop that writes the same
 * records.
 */
export const durableSets: Scenario = {
  name: 'durable-sets',
  async run(effort, say) {
    const figures = new Figures();
    const builds = withBefore(['rivulet'] as const, effort.before);
    for (let run = 0; run < effort.runs; run++) {
      for (const inFlight of IN_FLIGHT) {
        say(`durable-sets run ${run + 1}/${effort.runs}: ${inFlight} in flight`);
        for (const build of builds) await inDirectory((directory) => measureEngine(build, directory, inFlight, effort, figures));
        await inDirectory(async (directory) => {
          const { perSecond, p50 } = await runBareLoop({
            directory,
            inFlight,
            warmUpMs: effort.warmUpMs,
            windowMs: effort.windowMs,
            cpu: SERVER_CPU,
          });
          figures.add(`bare lmdb loop, ${inFlight} in flight`, '/s', perSecond);
          figures.add(`bare lmdb loop, ${inFlight} in flight: p50`, 'ms', p50);
        });
      }
    }
    const share = figures.median('rivulet, 256 in flight') / figures.median('bare lmdb loop, 256 in flight');
    const slower = figures.median('rivulet, 1 in flight: answer p50') / figures.median('bare lmdb loop, 1 in flight: p50');
    const targets = [
      target('rivulet / bare loop, p50 of a write, 1 in flight', slower, 'at most', 1.25),
      target('rivulet / bare loop, 256 in flight', share, 'at least', 0.7),
    ];
    if (effort.before !== undefined) {
      for (const inFlight of IN_FLIGHT) {
        const perSecond = (build: string) => figures.median(`${build}, ${inFlight} in flight`);
        const cost = (build: string) => figures.median(`${build}, ${inFlight} in flight: server CPU per write`);
        targets.push(beforeTarget(`writes/s, ${inFlight} in flight`, perSecond('rivulet'), perSecond('before'), 'higher'));
        targets.push(beforeTarget(`server CPU per write, ${inFlight} in flight`, cost('rivulet'), cost('before'), 'lower'));
      }
    }
    return {
      scenario: durableSets.name,
      title: 'Durable stream::set, one worker connection',
      figures: figures.list(),
      targets,
      notes: ['The bare loop does 1 get and 4 puts per write in one transaction, on the same disk and processor, without sockets or JSON.'],
    };
  },
};

async function measureEngine(
  build: 'rivulet' | 'before',
  directory: string,
  inFlight: number,
  effort: Effort,
  figures: Figures,
): Promise<void> {
  const server = await startServer(build, { directory }, effort.before);
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
    figures.add(`${build}, ${inFlight} in flight`, '/s', window.acknowledged / window.seconds);
    const cpu = (window.serverUser + window.serverSystem) * 1_000;
    figures.add(`${build}, ${inFlight} in flight: server CPU per write`, 'µs', cpu / window.acknowledged);
    figures.add(`${build}, ${inFlight} in flight: answer p50`, 'ms', window.ackP50);
    figures.add(`${build}, ${inFlight} in flight: answer p99`, 'ms', window.ackP99);
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
