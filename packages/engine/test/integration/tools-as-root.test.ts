import { chownSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../src/config/loading/load-config.js';
import { backUp } from '../../src/tools/backup.js';
import { compactStores } from '../../src/tools/compact.js';
import { importFile } from '../../src/tools/import.js';
import { restore } from '../../src/tools/restore.js';
import { salvage } from '../../src/tools/salvage.js';

/** Any user who is not root. */
const ENGINE = 10_001;
const isRoot = process.geteuid?.() === 0;
const EXPORT = [
  '{"rivulet_export":1,"engine":"0.1.0","at":"2026-11-30T08:00:00.000Z"}',
  '{"store":"stream","epoch":"5bb8b6f2","removed_offset":0,"removed_timestamp":0}',
  '{"stream":"chat","group":"room-1","offset":1,"timestamp":1764489600000}',
  '{"id":"m1","created":1,"changed":1,"data":{"id":"m1"}}',
  '{"end":{"groups":1,"items":1}}',
];

/** Returns the owners of a directory and of everything in it. */
function ownersIn(directory: string): ReadonlySet<number> {
  return new Set([directory, ...readdirSync(directory).map((name) => join(directory, name))].map((path) => statSync(path).uid));
}

test.skipIf(!isRoot)(
  `the files that root makes in a store belong to the user of the engine${isRoot ? '' : ' (skipped: only root can try it)'}`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rivulet-owner-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const data = join(folder, 'data');
    const streams = join(data, 'all/streams');
    mkdirSync(data);
    chownSync(data, ENGINE, ENGINE);
    writeFileSync(join(folder, 'export.jsonl'), `${EXPORT.join('\n')}\n`);
    const adapter = { name: 'kv', config: { store_method: 'file_based', file_path: streams } };
    const text = JSON.stringify({ workers: [{ name: 'rivulet-stream', config: { adapter } }] });
    const config = loadConfig({ text, cwd: folder, env: {}, lenient: false });
    const ofEngine = new Set([ENGINE]);
    const options = { keepEpoch: false, onStep: () => {} };

    await importFile(join(folder, 'export.jsonl'), config, options);
    expect([ownersIn(streams), statSync(join(data, 'all')).uid]).toEqual([ofEngine, ENGINE]);

    await compactStores(config, () => {});
    expect(ownersIn(streams)).toEqual(ofEngine);

    await backUp(config, join(folder, 'backup'), () => {});
    expect(ownersIn(streams)).toEqual(ofEngine);

    renameSync(streams, `${streams}-old`);
    await restore(join(folder, 'backup'), config, options);
    expect(ownersIn(streams)).toEqual(ofEngine);

    await salvage(streams, join(data, 'salvaged'));
    expect([ownersIn(join(data, 'salvaged')), ownersIn(streams)]).toEqual([ofEngine, ofEngine]);
  },
);
