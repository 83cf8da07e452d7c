import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CLI } from '@rivulet/testkit/engines/built-engine';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { expect, onTestFinished, test } from 'vitest';

test('every thread of a backup that reads or writes the copy has the lowest priority', async () => {
  const engine = await EngineProcess.start();
  const scratch = mkdtempSync(join(tmpdir(), 'rivulet-backup-priority-'));
  onTestFinished(() => rmSync(scratch, { recursive: true, force: true }));
  const output = join(scratch, 'calls');
  const calls = 'trace=setpriority,pread64,pwrite64,fsync,fdatasync';
  const strace = ['-f', '-y', '-qq', '--seccomp-bpf', '-o', output, '-e', calls, process.execPath, CLI, 'backup', join(scratch, 'b')];
  await promisify(execFile)('strace', strace, { cwd: engine.directory });
  const lines = readFileSync(output, 'utf8').split('\n');
  // strace ends a line early when another thread makes a call meanwhile.
  const low = new Set(lines.map((line) => /setpriority\(PRIO_PROCESS, (\d+), 19\b/.exec(line)?.[1]));
  const main = lines[0]?.split(' ')[0] ?? '';
  const working = new Set(lines.filter((line) => line.includes('/stream/data.mdb')).map((line) => line.split(' ')[0] ?? ''));
  expect(working.size).toBeGreaterThan(0);
  expect([main, ...working].filter((thread) => !low.has(thread))).toEqual([]);
});
