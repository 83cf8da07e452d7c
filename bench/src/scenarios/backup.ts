import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LoadProcess } from '../load/load-process.js';
import { Figures, target } from '../measure/figures.js';
import type { Effort, Scenario } from '../scenario.js';
import { type ServerProcess, startServer } from '../servers/server-process.js';

const CLI = fileURLToPath(new URL('../../../packages/engine/bin/rivulet.js', import.meta.url));
const RATE = 10_000;
/** Groups with one item, so that a backup takes some seconds. */
const GROUPS = 200_000;

/** Measures acknowledged durable writes while `rivulet backup` runs again and again, beside the same engine without a backup. */
export const backup: Scenario = {
  name: 'backup',
  async run(effort, say) {
    const figures = new Figures();
    const scratch = mkdtempSync(join(tmpdir(), 'rivulet-bench-backup-'));
    try {
      const directory = join(scratch, 'data');
      mkdirSync(directory);
      writeFileSync(join(scratch, 'iii-config.yaml'), configOf(directory));
      const server = await startServer('rivulet', { directory });
      try {
        await measureAll(server, scratch, effort, figures, say);
      } finally {
        await server.stop();
      }
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
    const share = figures.median('with backups') / figures.median('without a backup');
    return {
      scenario: backup.name,
      title: `Durable stream::set at ${RATE}/s during backups of the running engine`,
      figures: figures.list(),
      targets: [target('writes with backups / writes without', share, 'at least', 0.9)],
      notes: ['Backups run one after the other during the whole window. The windows with and without them alternate on one engine.'],
    };
  },
};

async function measureAll(
  server: ServerProcess,
  scratch: string,
  effort: Effort,
  figures: Figures,
  say: (line: string) => void,
): Promise<void> {
  const load = new LoadProcess();
  try {
    const groups = Math.max(1_000, Math.round(GROUPS * effort.scale));
    await load.execute({ kind: 'round', dialect: 'rivulet', url: server.writeUrl, group: 'g', groups, inFlight: 1_024 });
    for (let run = 0; run < effort.runs; run++) {
      // The order changes, so that the growth of the file favors neither.
      for (const withBackups of run % 2 === 0 ? [true, false] : [false, true]) {
        const name = withBackups ? 'with backups' : 'without a backup';
        say(`backup run ${run + 1}/${effort.runs}: ${name}`);
        const backups = withBackups ? new Backups(scratch) : undefined;
        const { warmUpMs, windowMs } = effort;
        const pace = { kind: 'pace', dialect: 'rivulet', url: server.writeUrl, group: 'g', groups, rate: RATE } as const;
        const window = await load.measure({ ...pace, warmUpMs, windowMs, pid: server.pid });
        figures.add(name, '/s', window.acknowledged / window.seconds);
        figures.add(`${name}: answer p99`, 'ms', window.ackP99);
        const lengths = await backups?.end();
        for (const length of lengths ?? []) figures.add('duration of a backup', 'ms', length);
      }
    }
  } finally {
    await load.stop();
  }
}

/** Runs backups one after the other until `end`. */
class Backups {
  readonly #scratch: string;
  readonly #lengths: number[] = [];
  readonly #done: Promise<void>;
  #running = true;

  constructor(scratch: string) {
    this.#scratch = scratch;
    this.#done = this.#run();
    this.#done.catch(() => {});
  }

  /** Resolves with the duration of each backup, in milliseconds, when the last one has ended. */
  async end(): Promise<readonly number[]> {
    this.#running = false;
    await this.#done;
    return this.#lengths;
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const destination = join(this.#scratch, 'copy');
      const began = performance.now();
      const child = spawn(process.execPath, [CLI, 'backup', destination], { cwd: this.#scratch, stdio: ['ignore', 'ignore', 'inherit'] });
      const [code] = (await once(child, 'exit')) as [number | null];
      if (code !== 0) throw new Error(`rivulet backup ended with ${code}`);
      this.#lengths.push(performance.now() - began);
      rmSync(destination, { recursive: true });
    }
  }
}

function configOf(directory: string): string {
  const adapter = `{ name: kv, config: { store_method: file_based, file_path: ${JSON.stringify(directory)} } }`;
  return `workers:\n  - name: iii-stream\n    config: { adapter: ${adapter} }\n`;
}
