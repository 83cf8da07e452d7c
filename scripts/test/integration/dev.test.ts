import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { Restarter } from '../../development/restarter.mjs';
import { ROOT } from '../../set-up/workspace.mjs';

const folder = mkdtempSync(join(tmpdir(), 'rivulet-dev-'));
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(folder, { recursive: true, force: true });
});

const linesOf = (stream: NodeJS.ReadableStream | null): Interface => {
  if (stream === null) throw new Error('no output');
  return createInterface({ input: stream });
};

describe('npm run dev', () => {
  it('runs the engine, and starts it again after a source was saved', async () => {
    const config = join(folder, 'config.yaml');
    writeFileSync(
      config,
      [
        'workers:',
        '  - name: rivulet-worker-manager',
        '    config: { port: 0, host: 127.0.0.1 }',
        '  - name: rivulet-stream',
        '    config: { port: 0, host: 127.0.0.1, adapter: { name: kv, config: { store_method: in_memory } } }',
      ].join('\n'),
    );
    const dev: ChildProcess = spawn(process.execPath, ['scripts/dev.mjs', '--config', config], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = once(dev, 'exit');
    ends.push(async () => {
      dev.kill('SIGTERM');
      await ended;
    });
    const ready = linesOf(dev.stdout)[Symbol.asyncIterator]();
    const first = await ready.next();
    expect(first.value).toMatch(/^ready worker=ws/);
    // The file changes without new content, so the build writes nothing and the engine starts again.
    const now = new Date();
    utimesSync(join(ROOT, 'packages/engine/src/index.ts'), now, now);
    const second = await ready.next();
    expect(second.value).toMatch(/^ready worker=ws/);
    expect(second.value).not.toBe(first.value);
    dev.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
  });
});

describe('the restarter', () => {
  it('leaves the program as it is when the build fails, and goes on with the next change', async () => {
    const watched = mkdtempSync(join(tmpdir(), 'rivulet-dev-watched-'));
    const program = join(watched, 'program.mjs');
    const starts = join(watched, 'ignored');
    writeFileSync(program, 'setInterval(() => {}, 1_000);');
    const said: string[] = [];
    let heard = () => {};
    const hears = (message: string) =>
      new Promise<void>((resolve) => {
        heard = () => said.includes(message) && resolve();
        heard();
      });
    let passes = false;
    const restarter = new Restarter({
      folders: [watched],
      build: async () => passes,
      args: [program],
      say: (message) => {
        said.push(message);
        heard();
      },
    });
    ends.push(async () => {
      await restarter.end('SIGTERM');
      rmSync(watched, { recursive: true, force: true });
    });
    restarter.start();
    writeFileSync(starts, '1');
    await hears('the build failed; the engine runs on as it was');
    expect(said).not.toContain('restarting the engine');
    passes = true;
    writeFileSync(starts, '2');
    await hears('restarting the engine');
  });
});
