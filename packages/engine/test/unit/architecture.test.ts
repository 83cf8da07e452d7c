import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { importsOf, ROOMS, type SourceFile, SUB_ROOMS, tableCycles, unusedEntries, violations } from '../import-rules.js';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));

function sourcesBelow(folder: string): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .filter(
      (path) =>
        (path.endsWith('.ts') || (path.endsWith('.tsx') && path.startsWith('packages/inspector/'))) &&
        !path.includes('/node_modules/') &&
        !path.includes('/dist/'),
    )
    .map((path) => ({ path, imports: importsOf(readFileSync(join(ROOT, path), 'utf8')) }));
}

const engine = (file: string, ...imports: string[]): SourceFile => ({ path: `packages/engine/src/${file}`, imports });

describe('the sources', () => {
  it('keep the dependency rule and the rules of names', () => {
    const files = ['packages', 'bench', 'examples', 'scripts'].flatMap(sourcesBelow);
    expect(files.map(({ path }) => path)).toContain('packages/engine/src/transport/listener.ts');
    expect(files.find(({ path }) => path.endsWith('transport/handshakes.ts'))?.imports).toContain('ws');
    expect(violations(files)).toEqual([]);
  });

  it('use each arrow of the tables, which have no circle', () => {
    expect(unusedEntries(['packages/engine/src'].flatMap(sourcesBelow))).toEqual([]);
    expect(tableCycles()).toEqual([]);
  });
});

describe('ARCHITECTURE.md', () => {
  const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
  const section = (title: string): string => text.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? '';
  const rowsOf = (title: string): string[][] =>
    [...section(title).matchAll(/^\| (.*) \|$/gm)].map(([, row = '']) => row.split(' | ')).slice(1);
  const engineRoot = 'packages/engine/src';

  it('names only paths that exist', () => {
    const paths = [...text.matchAll(/(?<![\w@/:*-])(?:[a-z][a-z0-9-]*\/)+[a-z][a-z0-9.-]*[a-z0-9]|(?<=`)[a-z][a-z0-9-]*\.ts(?=`)/g)];
    const known = sourcesBelow(engineRoot).map(({ path }) => path);
    const missing = paths
      .map(([path]) => path)
      .filter((path) => {
        if (!path.includes('/')) return !known.some((file) => file.endsWith(`/${path}`));
        return !existsSync(join(ROOT, path)) && !existsSync(join(ROOT, engineRoot, path));
      });
    expect(paths.length).toBeGreaterThan(50);
    expect(missing).toEqual([]);
  });

  it('has each package in one row', () => {
    const listed = rowsOf('Packages').flatMap(([cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ''));
    expect(listed.toSorted()).toEqual(
      readdirSync(join(ROOT, 'packages'))
        .map((name) => `packages/${name}`)
        .toSorted(),
    );
  });

  it('has a row for each room and each sub-room, and for nothing else', () => {
    const listed = rowsOf('Rooms of the engine').flatMap(([cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ''));
    const rooms = Object.entries(SUB_ROOMS).flatMap(([room, subRooms]) =>
      Object.keys(subRooms).flatMap((name) => (name === '.' ? [] : `${room}/${name}`)),
    );
    // A room whose files are all in sub-rooms has no row of its own.
    const withFiles = Object.keys(ROOMS).filter((room) => SUB_ROOMS[room] === undefined || SUB_ROOMS[room]['.'] !== undefined);
    expect(listed.toSorted()).toEqual([...withFiles, ...rooms].toSorted());
  });

  it('stays short: at most 120 lines, and 12 rows of where to add what', () => {
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(120);
    const rows = rowsOf('Where to add what').length;
    expect(rows).toBeGreaterThan(0);
    expect(rows).toBeLessThanOrEqual(12);
  });
});

describe('the dependency rule', () => {
  it.each<[string, SourceFile]>([
    ['protocol imports a package', { path: 'packages/protocol/src/position.ts', imports: ['node:crypto'] }],
    ['protocol imports the engine', { path: 'packages/protocol/src/position.ts', imports: ['../../engine/src/index.js'] }],
    ['the engine imports another of our packages', engine('core/call.ts', '@rivulet/conformance/store-contract')],
    ['the engine reaches into another package', engine('core/call.ts', '../../../protocol/src/limits.js')],
    ['a test reaches into another package', { path: 'packages/client/test/a.test.ts', imports: ['../../engine/src/index.js'] }],
    ['an example reaches into a package', { path: 'examples/chat/test/a.test.ts', imports: ['../../../packages/testkit/src/inbox.js'] }],
    ['the engine imports an unknown package', engine('core/call.ts', 'lodash')],
    ['structures import another room', engine('structures/clock.ts', '../logging/logger.js')],
    ['structures import the protocol', engine('structures/clock.ts', '@rivulet/protocol')],
    ['the LMDB environment imports a domain room', engine('store/lmdb/env/environment.ts', '../../store.js')],
    ['a connection to a Redis imports a domain room', engine('store/redis/connection/redis-pool.ts', '../records.js')],
    ['frames import the fan-out', engine('stream/frames/spool.ts', '../fanout/hub.js')],
    ['the fabric imports workers', engine('core/fabric/fabric.ts', '../workers/worker-session.js')],
    ['one store imports another', engine('store/lmdb/lmdb-store.ts', '../memory/memory-store.js')],
    ['core imports stream', engine('core/call.ts', '../stream/hub.js')],
    ['a store imports stream', engine('store/store.ts', '../stream/hub.js')],
    ['stream imports state', engine('stream/fanout/hub.ts', '../../state/state-module.js')],
    ['stream imports http', engine('stream/fanout/hub.ts', '../../http/routes.js')],
    ['transport imports core', engine('transport/listener.ts', '../core/fabric.js')],
    ['transport imports config', engine('transport/listener.ts', '../config/config.js')],
    ['the hub imports the memory store', engine('stream/fanout/hub.ts', '../../store/memory/memory-store.js')],
    ['a session imports the LMDB store', engine('stream/session/stream-session.ts', '../../store/lmdb/lmdb-store.js')],
    ['the hub imports a part of the memory store', engine('stream/fanout/hub.ts', '../../store/memory/sliced-writes.js')],
    ['the hub imports the environment of LMDB', engine('stream/fanout/hub.ts', '../../store/lmdb/env/environment.js')],
    ['the CLI names a backend', engine('cli/main.ts', '../store/lmdb/lmdb-store.js')],
    ['stream imports ws', engine('stream/stream-gateway.ts', 'ws')],
    ['core imports lmdb', engine('core/call.ts', 'lmdb')],
    ['stream imports zod', engine('stream/trigger-filter.ts', 'zod')],
    ['stream imports the composition root', engine('stream/fanout/hub.ts', '../../engine.js')],
    ['a room that the plan does not know', engine('plugins/loader.ts', '../core/fabric.js')],
    [
      'published conformance imports the engine at large',
      { path: 'packages/conformance/src/store-contract/store-contract.ts', imports: ['@rivulet/engine'] },
    ],
    ['published conformance imports a runner', { path: 'packages/conformance/src/store-contract/store-contract.ts', imports: ['vitest'] }],
    ['the client imports Node', { path: 'packages/client/src/connection/connection.ts', imports: ['node:crypto'] }],
    ['the SDK imports ws outside of its Node file', { path: 'packages/sdk/src/worker.ts', imports: ['ws'] }],
    ['the SDK imports the engine', { path: 'packages/sdk/src/worker.ts', imports: ['@rivulet/engine'] }],
    ['a page of the inspector imports another page', { path: 'packages/inspector/src/overview/a.tsx', imports: ['../streams/b.js'] }],
    ['the inspector imports the SDK', { path: 'packages/inspector/src/wire/a.ts', imports: ['@rivulet/sdk'] }],
    ['a name of a component is not kebab-case', { path: 'packages/inspector/src/parts/SearchBox.tsx', imports: [] }],
    ['a name that is not kebab-case', engine('stream/groupLog.ts')],
    ['a name that says nothing', engine('stream/stream-utils.ts')],
  ])('is broken when %s', (_matter, file) => {
    expect(violations([file])).toHaveLength(1);
  });

  it('is broken by a circle of files, also of types alone', () => {
    const found = violations([engine('core/fabric/call.ts', './fabric.js'), engine('core/fabric/fabric.ts', './call.js')]);
    expect(found.filter((line) => line.startsWith('files in a cycle'))).toHaveLength(2);
  });

  it('is broken by a folder of more than 16 files', () => {
    const files = Array.from({ length: 17 }, (_, index) => engine(`logging/line-${index}.ts`));
    expect(violations(files)).toEqual(['packages/engine/src/logging has 17 files, more than 16']);
    expect(violations(files.slice(1))).toEqual([]);
  });

  it('is broken by a circle in a table, and by an entry that nothing needs', () => {
    expect(tableCycles({ a: ['b'], b: ['a'] }, {})).toEqual(['a -> b -> a', 'b -> a -> b']);
    expect(unusedEntries([])).toContain('stream -> core');
    expect(unusedEntries([engine('stream/stream-module.ts', '../core/fabric/fabric.js')])).not.toContain('stream -> core');
  });

  it.each<[string, SourceFile]>([
    ['the composition root names a backend', engine('engine.ts', './store/lmdb/lmdb-store.js', './core/fabric/fabric.js')],
    [
      'a backend opens its environment',
      engine('store/lmdb/lmdb-store.ts', './env/environment.js', '../store.js', './tables/records.js', 'lmdb'),
    ],
    ['a test imports a script', { path: 'packages/conformance/test/a.test.ts', imports: ['../../../scripts/testing/client-matrix.mjs'] }],
    ['config parses YAML', engine('config/loading/config-file.ts', 'yaml', 'zod', 'node:fs', '../config.js')],
    ['transport imports ws', engine('transport/handshakes.ts', 'ws', '@rivulet/protocol', '../structures/clock.js')],
  ])('is kept when %s', (_matter, file) => {
    expect(violations([file])).toEqual([]);
  });
});

describe('the reader of imports', () => {
  it('finds every form of an import and nothing else', () => {
    const source = [
      "import type { A } from './a.js';",
      "import {\n  B,\n  type C,\n} from './b.js';",
      "export * from './d.js';",
      "export { E } from './e.js';",
      "import './f.js';",
      "const g = await import('./g.js');",
      "const from = 'not-an-import';",
      "export const name = 'neither';",
    ].join('\n');
    expect(importsOf(source)).toEqual(['./a.js', './b.js', './d.js', './e.js', './f.js', './g.js']);
  });
});
