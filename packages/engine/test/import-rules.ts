/** A source file as the dependency rule sees it. The path is relative to the repository, with `/`. */
export interface SourceFile {
  readonly path: string;
  readonly imports: readonly string[];
}

/** Which rooms of the engine a room may import, beside itself. `engine` is the composition root; `index`, `stores` and `parts` are what the package exports. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  structures: [],
  logging: ['structures'],
  config: ['logging', 'structures'],
  storage: ['logging', 'structures'],
  transport: ['logging', 'structures'],
  core: ['config', 'logging', 'structures', 'transport'],
  store: ['logging', 'storage', 'structures'],
  stream: ['config', 'core', 'logging', 'store', 'structures', 'transport'],
  state: ['config', 'core', 'logging', 'store', 'structures'],
  pubsub: ['core', 'logging'],
  http: ['config', 'core', 'logging', 'structures', 'transport'],
  cli: ['config', 'engine', 'logging', 'storage', 'structures'],
  engine: ['config', 'core', 'http', 'logging', 'pubsub', 'state', 'storage', 'store', 'stream', 'structures', 'transport'],
  index: ['config', 'engine', 'logging', 'store', 'stream', 'structures'],
  stores: ['store'],
  parts: ['config', 'core', 'logging', 'store', 'stream', 'structures', 'transport'],
};

/** Rooms that know the wire types; to the others they are somebody else's business. */
const WITHOUT_PROTOCOL = new Set(['structures', 'logging', 'cli']);

/** npm packages that only some files of the engine may import; any other package is refused everywhere. */
const PACKAGES: Readonly<Record<string, (file: string) => boolean>> = {
  ws: (file) => file.startsWith('transport/'),
  lmdb: (file) => file.startsWith('storage/') || isBackend(file),
  '@redis/client': (file) => file === 'storage/redis-client.ts',
  pino: (file) => file.startsWith('logging/'),
  yaml: (file) => file.startsWith('config/') || file.startsWith('cli/'),
  zod: (file) => ['config/', 'cli/', 'core/builtins/'].some((room) => file.startsWith(room)) || file.endsWith('-schemas.ts'),
};

interface PackageRule {
  readonly says: string;
  /** `file` is relative to the sources of the package. */
  readonly allows: (file: string, specifier: string) => boolean;
}

/** What runs in a browser too: no Node built-ins, but for the one file that makes Node's socket. */
const PACKAGE_RULES: Readonly<Record<string, PackageRule>> = {
  'packages/client/src/': {
    says: 'client knows protocol only, and react.ts React',
    allows: (file, specifier) => specifier === '@rivulet/protocol' || (file === 'react.ts' && specifier === 'react'),
  },
  'packages/sdk/src/': {
    says: 'sdk knows client and protocol; Node is known to files named node-* only',
    allows: (file, specifier) =>
      ['@rivulet/protocol', '@rivulet/client/connection'].includes(specifier) ||
      (/(^|\/)node-[a-z-]+\.ts$/.test(file) && (specifier === 'ws' || specifier.startsWith('node:'))),
  },
};

const CONFORMANCE_IMPORTS = new Set(['@rivulet/engine/store', '@rivulet/protocol', 'ws']);
const FORBIDDEN_WORDS = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'manager', 'service', 'wrapper']);
const KEBAB_FILE = /^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/;
const ENGINE_SOURCE = 'packages/engine/src/';

/** Every specifier that a source imports or re-exports, statically or not, types included. */
export function importsOf(source: string): string[] {
  const statements =
    /\b(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]/gm;
  return [...source.matchAll(statements)].map(([, from, dynamic, effect]) => from ?? dynamic ?? effect ?? '');
}

/** What the files do against the rule, one line each; empty when they keep it. */
export function violations(files: readonly SourceFile[]): string[] {
  const imports = files.flatMap((file) => file.imports.flatMap((specifier) => importViolation(file.path, specifier) ?? []));
  const names = files.flatMap(({ path }) => nameViolation(path) ?? []);
  return [...imports, ...names, ...roomCycles(files)];
}

function importViolation(path: string, specifier: string): string | undefined {
  const says = (rule: string) => `${path} imports ${specifier}: ${rule}`;
  if (path.startsWith('packages/protocol/src/'))
    return isInside(path, specifier, 'packages/protocol/src/') ? undefined : says('protocol imports nothing');
  if (path.startsWith('packages/conformance/src/')) {
    const allowed =
      isInside(path, specifier, 'packages/conformance/src/') || specifier.startsWith('node:') || CONFORMANCE_IMPORTS.has(specifier);
    return allowed ? undefined : says('conformance knows @rivulet/engine/store, @rivulet/protocol and ws only');
  }
  for (const [folder, rule] of Object.entries(PACKAGE_RULES)) {
    if (!path.startsWith(folder)) continue;
    return isInside(path, specifier, folder) || rule.allows(path.slice(folder.length), specifier) ? undefined : says(rule.says);
  }
  if (path.startsWith(ENGINE_SOURCE)) {
    const rule = engineRule(path.slice(ENGINE_SOURCE.length), path, specifier);
    return rule === undefined ? undefined : says(rule);
  }
  return undefined;
}

function engineRule(file: string, path: string, specifier: string): string | undefined {
  const room = roomOf(file);
  const allowed = ROOMS[room];
  if (allowed === undefined) return `${room} is no room of the engine`;
  if (specifier === '@rivulet/protocol') return WITHOUT_PROTOCOL.has(room) ? `${room} does not know the protocol` : undefined;
  if (specifier.startsWith('@rivulet/')) return 'of our packages the engine imports protocol only';
  if (specifier.startsWith('node:')) return undefined;
  if (!specifier.startsWith('.')) {
    const mayImport = PACKAGES[specifier] ?? PACKAGES[specifier.split('/')[0] ?? ''];
    if (mayImport === undefined) return 'no such dependency is foreseen; add it to the rule and to CONTRIBUTING.md';
    return mayImport(file) ? undefined : `${specifier} does not belong here`;
  }
  const target = resolve(path, specifier);
  if (!target.startsWith(ENGINE_SOURCE)) return 'a package imports another by its name';
  return relativeRule(file, target.slice(ENGINE_SOURCE.length));
}

function relativeRule(file: string, target: string): string | undefined {
  const room = roomOf(file);
  const targetRoom = roomOf(target);
  if (isBackend(target) && !isBackend(file) && room !== 'engine' && room !== 'stores') return 'only engine.ts and stores.ts name a backend';
  if (targetRoom === 'storage' && room === 'store' && !isBackend(file)) return 'only backends know storage';
  if (targetRoom === room || ROOMS[room]?.includes(targetRoom) === true) return undefined;
  return `${room} does not import ${targetRoom}`;
}

/** A store of one kind, such as `store/store-lmdb.ts`. What `storage/` holds is no backend: it knows no domain words. */
function isBackend(file: string): boolean {
  return /^store\/((.*-)?(memory|lmdb|redis)(-.*)?\.ts$|(memory|lmdb|redis)\/)/.test(file);
}

/** `stream/hub.ts` lies in `stream`; `engine.ts` is a room of its own. */
function roomOf(file: string): string {
  return (file.split('/')[0] ?? '').replace(/\.ts$/, '');
}

function nameViolation(path: string): string | undefined {
  const file = path.slice(path.lastIndexOf('/') + 1);
  if (!KEBAB_FILE.test(file)) return `${path}: file names are kebab-case`;
  const word = file
    .replace(/(\.test)?\.ts$/, '')
    .split('-')
    .find((part) => FORBIDDEN_WORDS.has(part));
  return word === undefined ? undefined : `${path}: "${word}" says nothing; name what it is`;
}

/** Cycles between rooms, as `a -> b -> a`. The table of rooms has none; this holds whatever becomes of the table. */
function roomCycles(files: readonly SourceFile[]): string[] {
  const edges = new Map<string, Set<string>>();
  for (const { path, imports } of files) {
    if (!path.startsWith(ENGINE_SOURCE)) continue;
    const room = roomOf(path.slice(ENGINE_SOURCE.length));
    for (const specifier of imports) {
      const target = specifier.startsWith('.') ? resolve(path, specifier) : '';
      if (!target.startsWith(ENGINE_SOURCE)) continue;
      const targetRoom = roomOf(target.slice(ENGINE_SOURCE.length));
      if (targetRoom !== room) edges.set(room, (edges.get(room) ?? new Set()).add(targetRoom));
    }
  }
  return [...edges.keys()].flatMap((room) => {
    const cycle = pathBack(room, edges);
    return cycle === undefined ? [] : [`rooms in a cycle: ${cycle.join(' -> ')}`];
  });
}

function pathBack(start: string, edges: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const seen = new Set<string>();
  const queue: string[][] = [[start]];
  for (const path of queue) {
    for (const next of edges.get(path.at(-1) ?? '') ?? []) {
      if (next === start) return [...path, next];
      if (!seen.has(next)) queue.push([...path, next]);
      seen.add(next);
    }
  }
  return undefined;
}

function isInside(path: string, specifier: string, folder: string): boolean {
  return specifier.startsWith('.') && resolve(path, specifier).startsWith(folder);
}

/** The file that a relative specifier means: `./x.js` is `x.ts` beside the importer. */
function resolve(path: string, specifier: string): string {
  return new URL(specifier, `file:///${path}`).pathname.slice(1).replace(/\.js$/, '.ts');
}
