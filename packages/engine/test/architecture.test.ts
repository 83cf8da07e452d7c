import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { importsOf, type SourceFile, violations } from './import-rules.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

function sourcesBelow(folder: string): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.ts') && !path.includes('/node_modules/') && !path.includes('/dist/'))
    .map((path) => ({ path, imports: importsOf(readFileSync(join(ROOT, path), 'utf8')) }));
}

const engine = (file: string, ...imports: string[]): SourceFile => ({ path: `packages/engine/src/${file}`, imports });

describe('the sources', () => {
  it('keep the dependency rule and the rules of names', () => {
    const files = ['packages', 'bench', 'examples', 'scripts'].flatMap(sourcesBelow);
    expect(files.map(({ path }) => path)).toContain('packages/engine/src/transport/listener.ts');
    expect(files.find(({ path }) => path.endsWith('transport/listener.ts'))?.imports).toContain('ws');
    expect(violations(files)).toEqual([]);
  });
});

describe('the dependency rule', () => {
  it.each<[string, SourceFile]>([
    ['protocol imports a package', { path: 'packages/protocol/src/position.ts', imports: ['node:crypto'] }],
    ['protocol imports the engine', { path: 'packages/protocol/src/position.ts', imports: ['../../engine/src/index.js'] }],
    ['the engine imports another of our packages', engine('core/call.ts', '@rivulet/conformance/store-contract')],
    ['the engine reaches into another package', engine('core/call.ts', '../../../protocol/src/limits.js')],
    ['the engine imports an unknown package', engine('core/call.ts', 'lodash')],
    ['structures import another room', engine('structures/clock.ts', '../logging/logger.js')],
    ['structures import the protocol', engine('structures/clock.ts', '@rivulet/protocol')],
    ['storage imports a domain room', engine('storage/environment.ts', '../store/store.js')],
    ['core imports stream', engine('core/call.ts', '../stream/hub.js')],
    ['a store imports stream', engine('store/store.ts', '../stream/hub.js')],
    ['stream imports state', engine('stream/hub.ts', '../state/state-module.js')],
    ['stream imports http', engine('stream/hub.ts', '../http/routes.js')],
    ['transport imports core', engine('transport/listener.ts', '../core/fabric.js')],
    ['transport imports config', engine('transport/listener.ts', '../config/config.js')],
    ['the hub imports the memory store', engine('stream/hub.ts', '../store/store-memory.js')],
    ['a session imports the LMDB store', engine('stream/stream-session.ts', '../store/store-lmdb.js')],
    ['the hub imports a part of the memory store', engine('stream/hub.ts', '../store/memory/sliced-writes.js')],
    ['the hub imports storage', engine('stream/hub.ts', '../storage/environment.js')],
    ['the CLI names a backend', engine('cli/main.ts', '../store/store-lmdb.js')],
    ['stream imports ws', engine('stream/stream-gateway.ts', 'ws')],
    ['core imports lmdb', engine('core/call.ts', 'lmdb')],
    ['stream imports zod', engine('stream/trigger-filter.ts', 'zod')],
    ['stream imports the composition root', engine('stream/hub.ts', '../engine.js')],
    ['a room that the plan does not know', engine('plugins/loader.ts', '../core/fabric.js')],
    [
      'published conformance imports the engine at large',
      { path: 'packages/conformance/src/store-contract.ts', imports: ['@rivulet/engine'] },
    ],
    ['published conformance imports a runner', { path: 'packages/conformance/src/store-contract.ts', imports: ['vitest'] }],
    ['the client imports Node', { path: 'packages/client/src/connection.ts', imports: ['node:crypto'] }],
    ['the SDK imports ws outside of its Node file', { path: 'packages/sdk/src/worker.ts', imports: ['ws'] }],
    ['the SDK imports the engine', { path: 'packages/sdk/src/worker.ts', imports: ['@rivulet/engine'] }],
    ['a name that is not kebab-case', engine('stream/groupLog.ts')],
    ['a name that says nothing', engine('stream/stream-utils.ts')],
  ])('is broken when %s', (_matter, file) => {
    expect(violations([file])).toHaveLength(1);
  });

  it('is broken by a cycle between rooms', () => {
    const found = violations([engine('core/call.ts', '../config/config.js'), engine('config/config.ts', '../core/call.js')]);
    expect(found).toContain('rooms in a cycle: core -> config -> core');
  });

  it.each<[string, SourceFile]>([
    ['the composition root names a backend', engine('engine.ts', './store/store-lmdb.js', './storage/environment.js', './core/fabric.js')],
    ['a backend opens storage', engine('store/store-lmdb.ts', '../storage/environment.js', './store.js', './lmdb-records.js', 'lmdb')],
    ['config parses YAML', engine('config/config-file.ts', 'yaml', 'zod', 'node:fs', './config.js')],
    ['transport imports ws', engine('transport/listener.ts', 'ws', '@rivulet/protocol', '../structures/clock.js')],
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
