import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '@rivulet/testkit/engines/cli-process';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const PAGE = readFileSync(new URL('../../../../docs/backup.md', import.meta.url), 'utf8');

/** The commands of the first example in a section, each with its printed lines. */
function exampleOf(section: string): readonly { readonly words: readonly string[]; readonly output: string }[] {
  const text = PAGE.slice(PAGE.indexOf(section));
  const block = /```console\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  return block
    .split(/^\$ rivulet /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...lines] = part.trimEnd().split('\n');
      return { words: command.split(' '), output: lines.join('\n') };
    });
}

/** Times and sizes differ in each run. */
const plain = (text: string) =>
  text
    .trimEnd()
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/\d+\.\d MiB/g, 'SIZE');

async function expectExample(section: string, cwd: string): Promise<void> {
  const commands = exampleOf(section);
  expect(commands.length).toBeGreaterThan(0);
  for (const { words, output } of commands) {
    const { code, stdout, stderr } = await run(words, cwd);
    expect({ words, code, stderr, stdout: plain(stdout) }).toEqual({ words, code: 0, stderr: '', stdout: plain(output) });
  }
}

async function engineWithItems(): Promise<EngineProcess> {
  const engine = await EngineProcess.start({ state: [] });
  const worker = await RawWorker.connect(engine.workerUrl);
  for (const id of ['m1', 'm2']) {
    await worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id: id, data: { id, text: 'hi' } });
  }
  await worker.result('state::set', { scope: 'orders', key: 'o1', value: { total: 10 } });
  const other = 'adapter: { name: kv, config: { store_method: file_based, file_path: ';
  const workers = [
    '  - name: iii-worker-manager\n    config: { host: 127.0.0.1 }',
    `  - name: iii-stream\n    config:\n      host: 127.0.0.1\n      ${other}new/stream } }`,
    `  - name: iii-state\n    config:\n      ${other}new/state } }`,
  ];
  const config = `workers:\n${workers.join('\n')}\n`;
  writeFileSync(join(engine.directory, 'new.yaml'), config);
  writeFileSync(join(engine.directory, 'empty.yaml'), config.replaceAll('new/', 'empty/'));
  return engine;
}

test('docs/backup.md: the commands print what the page shows', async () => {
  const engine = await engineWithItems();
  mkdirSync(join(engine.directory, 'backups'));
  await expectExample('# Backup, restore and move', engine.directory);
  await expectExample('## Export and import', engine.directory);
  await engine.stop();
  await expectExample('## Compact', engine.directory);
});
