import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { CliProcess } from '@rivulet/testkit/engines/cli-process';
import { describe, expect, it } from 'vitest';

const configWith = (wait: string) => `
workers:
  - { name: iii-worker-manager, config: { port: 0 } }
  - name: iii-stream
    config: { port: 0, adapter: { name: kv, config: { store_method: file_based, file_path: ./data${wait} } } }
`;

const directory = () => directoryWith({ 'iii-config.yaml': configWith(''), 'patient.yaml': configWith(', lock_wait_ms: 3600000') });

describe('K1 the command start', () => {
  it('ends with exit code 1 when another process has taken over the data directory', async () => {
    const cwd = directory();
    const engine = new CliProcess(['start'], cwd);
    await engine.ready();
    for (const name of readdirSync(join(cwd, 'data'))) if (name.startsWith('rivulet-store.lock')) rmSync(join(cwd, 'data', name));
    const { code, stderr } = await engine.finished;
    expect(code).toBe(1);
    expect(stderr).toMatch(/store_lock_lost[^]*store_lost/);
  });

  it('waits for the data directory with lock_wait_ms until the other engine stops, or until a signal', async () => {
    const cwd = directory();
    const first = new CliProcess(['start'], cwd);
    await first.ready();
    const second = new CliProcess(['start', '--config', 'patient.yaml'], cwd);
    const third = new CliProcess(['start', '--config', 'patient.yaml'], cwd);
    for (const waiting of [second, third]) await waiting.output('stderr', /store_lock_waits/);
    third.signal('SIGTERM');
    expect(await third.finished).toMatchObject({ code: 0, stdout: '' });
    first.signal('SIGTERM');
    expect(await first.finished).toMatchObject({ code: 0 });
    await second.ready();
    second.signal('SIGTERM');
    expect(await second.finished).toMatchObject({ code: 0 });
  });
});
