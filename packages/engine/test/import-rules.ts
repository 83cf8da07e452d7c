/** A source file as the dependency rule sees it. The path is relative to the repository, with `/`. */
export interface SourceFile {
  readonly path: string;
  readonly imports: readonly string[];
}

/**
 * Rooms of the engine (folders of `src`, or files in it), each with the rooms that it may import. `engine` is the composition root. The
 * package exports `index`, `stores` and `parts`. A test refuses entries that no import needs.
 */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  structures: [],
  logging: ['structures'],
  config: ['structures'],
  transport: ['logging', 'structures'],
  core: ['config', 'logging', 'structures', 'transport'],
  store: ['logging', 'structures'],
  why: ['structures'],
  stream: ['config', 'core', 'logging', 'store', 'structures', 'transport', 'why'],
  state: ['config', 'core', 'logging', 'store', 'structures'],
  pubsub: ['core', 'logging'],
  http: ['config', 'core', 'logging', 'structures', 'transport'],
  tracing: ['core', 'logging'],
  metrics: ['config', 'core', 'http', 'logging', 'store', 'stream', 'structures', 'transport'],
  admin: ['config', 'core', 'http', 'logging', 'metrics', 'store', 'stream', 'structures', 'transport', 'why'],
  control: ['logging'],
  tools: ['config', 'control', 'logging', 'store', 'structures'],
  cli: ['config', 'engine', 'logging', 'structures', 'tools'],
  engine: [
    'admin',
    'config',
    'control',
    'core',
    'http',
    'logging',
    'metrics',
    'pubsub',
    'state',
    'store',
    'stream',
    'structures',
    'tracing',
    'transport',
    'why',
  ],
  index: ['config', 'engine', 'store'],
  stores: ['store'],
  parts: ['config', 'core', 'logging', 'stream', 'structures', 'tools', 'transport'],
};

/**
 * Sub-rooms of each room, each with the sub-rooms of the same room that it may import. `.` stands for the files directly in the room. A
 * test refuses entries that no import needs, and circles.
 */
export const SUB_ROOMS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  config: { '.': ['keys'], keys: [], loading: ['.', 'keys'], 'json-schema': ['.', 'keys', 'loading'] },
  transport: {
    '.': ['admission', 'plain', 'rates', 'upgrade'],
    admission: [],
    rates: [],
    plain: ['admission', 'upgrade'],
    upgrade: ['admission'],
  },
  core: {
    contracts: [],
    fabric: ['contracts'],
    builtins: ['contracts', 'fabric'],
    triggers: ['fabric'],
    revocation: ['builtins', 'contracts', 'fabric'],
    channels: ['builtins', 'contracts', 'fabric'],
    jwt: [],
    'workers/access': ['fabric', 'jwt', 'revocation'],
    workers: ['channels', 'fabric', 'revocation', 'workers/access'],
    'engine-api': ['builtins', 'contracts', 'fabric', 'workers', 'workers/access'],
  },
  store: {
    '.': [],
    shared: ['.'],
    callers: ['.', 'shared'],
    module: ['.'],
    memory: ['.', 'shared'],
    lmdb: [
      '.',
      'shared',
      'lmdb/checking',
      'lmdb/copying',
      'lmdb/env',
      'lmdb/log',
      'lmdb/maintenance',
      'lmdb/reading',
      'lmdb/tables',
      'lmdb/writing',
    ],
    'lmdb/env': ['lmdb/log', 'lmdb/pages'],
    'lmdb/log': [],
    'lmdb/tables': ['.', 'shared', 'lmdb/env'],
    'lmdb/writing': ['.', 'shared', 'lmdb/env', 'lmdb/tables'],
    'lmdb/reading': ['.', 'shared', 'lmdb/env', 'lmdb/tables'],
    'lmdb/pages': [],
    'lmdb/checking': ['lmdb/env', 'lmdb/pages', 'lmdb/tables'],
    'lmdb/copying': ['shared', 'lmdb/checking', 'lmdb/env', 'lmdb/pages', 'lmdb/tables', 'lmdb/writing'],
    'lmdb/salvaging': ['lmdb/checking', 'lmdb/env', 'lmdb/log', 'lmdb/pages', 'lmdb/tables'],
    'lmdb/maintenance': ['.', 'lmdb/env', 'lmdb/tables', 'lmdb/writing'],
    redis: ['.', 'shared', 'redis/connection'],
    'redis/copying': ['.', 'shared', 'redis', 'redis/connection'],
    'redis/connection': [],
  },
  stream: {
    '.': [
      'calls',
      'calls/ledger',
      'calls/posted',
      'fanout',
      'frames',
      'functions',
      'leases',
      'reading',
      'reading/requests',
      'session',
      'worker-store',
    ],
    calls: [],
    frames: [],
    fanout: ['frames'],
    'worker-store': [],
    leases: ['worker-store'],
    'calls/ledger': ['calls'],
    'calls/posted': ['calls', 'reading/requests', 'session'],
    functions: ['worker-store'],
    session: ['calls', 'fanout', 'frames', 'functions', 'leases'],
    reading: ['fanout', 'reading/changes', 'reading/events', 'reading/requests', 'session', 'worker-store'],
    'reading/requests': ['frames', 'session', 'worker-store'],
    'reading/changes': ['fanout', 'frames', 'reading/requests', 'session'],
    'reading/events': ['frames', 'leases', 'reading/requests', 'session'],
  },
  admin: { '.': [], api: ['.', 'inspector'], inspector: [] },
  http: { '.': ['request', 'response', 'routes'], request: [], response: [], routes: ['request'] },
  tools: { '.': [], iii: ['.'] },
  cli: {
    '.': ['admin', 'command', 'doctor', 'engine', 'items', 'store'],
    admin: ['command'],
    command: [],
    doctor: ['admin', 'command', 'engine'],
    engine: ['command'],
    items: ['command'],
    store: ['admin', 'command'],
  },
};

/** The largest number of files in one folder of sources. */
const MOST_FILES = 16;

/** Rooms that do not know the wire types. */
const WITHOUT_PROTOCOL = new Set(['structures', 'logging']);

/** npm packages that only some files of the engine may import. All other packages are refused. */
const PACKAGES: Readonly<Record<string, (file: string) => boolean>> = {
  ws: (file) => file.startsWith('transport/') || file === 'cli/items/stream-connection.ts',
  lmdb: (file) => file.startsWith('store/lmdb/'),
  '@redis/client': (file) => file === 'store/redis/connection/redis-client.ts',
  pino: (file) => file.startsWith('logging/'),
  jose: (file) => file === 'core/jwt/signature-check.ts',
  commander: (file) => file === 'cli/command/read-words.ts',
  '@opentelemetry/api': (file) => file.startsWith('tracing/'),
  'prom-client': (file) => file === 'metrics/scrape.ts',
  yaml: (file) => file.startsWith('config/') || file.startsWith('cli/'),
  zod: (file) =>
    ['config/', 'cli/', 'core/builtins/', 'core/contracts/'].some((room) => file.startsWith(room)) || file.endsWith('-schemas.ts'),
};

interface PackageRule {
  readonly says: string;
  /** `file` is relative to the sources of the package. */
  readonly allows: (file: string, specifier: string) => boolean;
}

/** Rooms of the inspector: the wire, the parts of all pages, one for each page, and the shell around them. A page imports no other page. */
const INSPECTOR_ROOMS: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  parts: ['wire'],
  forms: ['parts', 'wire'],
  json: ['parts'],
  overview: ['parts', 'wire'],
  streams: ['forms', 'json', 'parts', 'wire'],
  connections: ['forms', 'parts', 'wire'],
  workers: ['forms', 'json', 'parts', 'wire'],
  why: ['parts', 'wire'],
  shell: ['connections', 'overview', 'parts', 'streams', 'why', 'wire', 'workers'],
  main: ['shell', 'wire'],
};
const INSPECTOR_SOURCE = 'packages/inspector/src/';
const INSPECTOR_PACKAGES = ['@rivulet/client', '@rivulet/protocol', 'react', 'react-dom', 'uplot'];

/** Packages that also run in a browser. They import no Node built-ins, except for the one file that creates Node's socket. */
const PACKAGE_RULES: Readonly<Record<string, PackageRule>> = {
  'packages/client/src/': {
    says: 'client knows protocol only, react React, vue Vue, and svelte Svelte',
    allows: (file, specifier) => specifier === '@rivulet/protocol' || frameworkOf(file) === specifier.split('/')[0],
  },
  'packages/sdk/src/': {
    says: 'sdk knows client and protocol; Node is known to files named node-* only',
    allows: (file, specifier) =>
      ['@rivulet/protocol', '@rivulet/client/connection'].includes(specifier) ||
      (/(^|\/)node-[a-z-]+\.ts$/.test(file) && (specifier === 'ws' || specifier.startsWith('node:'))),
  },
};

function inspectorRule(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.'))
    return INSPECTOR_PACKAGES.some((name) => specifier === name || specifier.startsWith(`${name}/`))
      ? undefined
      : 'the inspector knows client, protocol, React and uPlot only';
  const [room, target] = [path, resolve(path, specifier)].map((file) => inspectorRoomOf(file));
  if (room === undefined || target === undefined || room === target) return undefined;
  return INSPECTOR_ROOMS[room]?.includes(target) === true ? undefined : `in the inspector, ${room} does not import ${target}`;
}

function inspectorRoomOf(file: string): string | undefined {
  return file.startsWith(INSPECTOR_SOURCE) ? /^[\w-]+/.exec(file.slice(INSPECTOR_SOURCE.length))?.[0] : undefined;
}

const CONFORMANCE_IMPORTS = new Set(['@rivulet/engine/store', '@rivulet/protocol', 'ws']);
const FORBIDDEN_WORDS = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'manager', 'service', 'wrapper']);
const KEBAB_FILE = /^[a-z0-9]+(-[a-z0-9]+)*(\.(?:test|config))?\.tsx?$/;
const ENGINE_SOURCE = 'packages/engine/src/';

/** Returns every specifier that a source imports or re-exports, including dynamic imports and types. */
export function importsOf(source: string): string[] {
  const statements =
    /\b(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]/gm;
  return [...source.matchAll(statements)].map(([, from, dynamic, effect]) => from ?? dynamic ?? effect ?? '');
}

/** Returns one line for each breach of the rule, or none. */
export function violations(files: readonly SourceFile[]): string[] {
  const imports = files.flatMap((file) => file.imports.flatMap((specifier) => importViolation(file.path, specifier) ?? []));
  const names = files.flatMap(({ path }) => nameViolation(path) ?? []);
  return [...imports, ...names, ...fullFolders(files), ...fileCycles(files)];
}

/** Returns the entries of the tables that no import of `files` needs, as `room -> room`. */
export function unusedEntries(files: readonly SourceFile[]): string[] {
  const used = new Set<string>();
  for (const { file, target } of engineImports(files)) {
    used.add(`${roomOf(file)} -> ${roomOf(target)}`);
    if (roomOf(file) === roomOf(target)) used.add(`${roomOf(file)}: ${subRoomOf(file)} -> ${subRoomOf(target)}`);
  }
  const entries = [
    ...Object.entries(ROOMS).flatMap(([room, targets]) => targets.map((target) => `${room} -> ${target}`)),
    ...Object.entries(SUB_ROOMS).flatMap(([room, subRooms]) =>
      Object.entries(subRooms).flatMap(([from, targets]) => targets.map((target) => `${room}: ${from} -> ${target}`)),
    ),
  ];
  return entries.filter((entry) => !used.has(entry));
}

/** Returns the circles in both tables, as `a -> b -> a`. */
export function tableCycles(rooms = ROOMS, subRooms = SUB_ROOMS): string[] {
  return [rooms, ...Object.values(subRooms)].flatMap((table) =>
    cyclesOf(new Map(Object.entries(table).map(([from, to]) => [from, new Set(to)]))),
  );
}

function importViolation(path: string, specifier: string): string | undefined {
  const says = (rule: string) => `${path} imports ${specifier}: ${rule}`;
  if (leavesItsPackage(path, specifier)) return says('a package imports another by its name');
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
  if (path.startsWith(INSPECTOR_SOURCE)) {
    const rule = inspectorRule(path, specifier);
    return rule === undefined ? undefined : says(rule);
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
  if (['@rivulet/sdk', '@rivulet/client'].includes(specifier))
    return file.startsWith('cli/items/') ? undefined : 'only commands for a running engine are its workers or clients';
  if (specifier.startsWith('@rivulet/')) return 'of our packages the engine imports protocol only';
  if (specifier.startsWith('node:')) return undefined;
  if (!specifier.startsWith('.')) {
    const mayImport = PACKAGES[specifier] ?? PACKAGES[specifier.split('/')[0] ?? ''];
    if (mayImport === undefined) return 'no such dependency is foreseen; add it to the rule and to CONTRIBUTING.md';
    return mayImport(file) ? undefined : `${specifier} does not belong here`;
  }
  const target = resolve(path, specifier);
  return relativeRule(file, target.slice(ENGINE_SOURCE.length));
}

function relativeRule(file: string, target: string): string | undefined {
  const room = roomOf(file);
  const targetRoom = roomOf(target);
  if (room !== targetRoom) {
    if (isBackend(target) && room !== 'engine' && room !== 'stores' && room !== 'tools')
      return 'only engine.ts, stores.ts and tools name a backend';
    return ROOMS[room]?.includes(targetRoom) === true ? undefined : `${room} does not import ${targetRoom}`;
  }
  const subRooms = SUB_ROOMS[room];
  const [from, to] = [subRoomOf(file), subRoomOf(target)];
  if (from === to || subRooms?.[from]?.includes(to) === true) return undefined;
  return `in ${room}, ${from} does not import ${to}`;
}

/** Returns the framework that a file of the client serves: `react` for `react.ts` and `react/view-hooks.ts`. */
function frameworkOf(file: string): string | undefined {
  return /^(react|vue|svelte)[./]/.exec(file)?.[1];
}

/** Returns whether a relative specifier leads into another package. The scripts at the root belong to no package. */
function leavesItsPackage(path: string, specifier: string): boolean {
  const target = packageOf(specifier.startsWith('.') ? resolve(path, specifier) : path);
  return target !== undefined && target !== packageOf(path);
}

/** Returns the folder of the package to which a file belongs, or `undefined`. */
function packageOf(path: string): string | undefined {
  return /^(packages\/[^/]+|examples\/[^/]+|bench)\//.exec(path)?.[1];
}

/** Returns whether a file belongs to a store of one kind. */
function isBackend(file: string): boolean {
  return /^store\/(memory|lmdb|redis)\//.test(file);
}

/** Returns the room of a file: `stream` for `stream/fanout/hub.ts`, and `engine` for `engine.ts`. */
function roomOf(file: string): string {
  return (file.split('/')[0] ?? '').replace(/\.ts$/, '');
}

/** Returns the folder of a file below its room: `fanout` for `stream/fanout/hub.ts`, and `.` for a file directly in its room. */
function subRoomOf(file: string): string {
  return file.split('/').slice(1, -1).join('/') || '.';
}

function nameViolation(path: string): string | undefined {
  const file = path.slice(path.lastIndexOf('/') + 1);
  if (!KEBAB_FILE.test(file)) return `${path}: file names are kebab-case`;
  const word = file
    .replace(/(\.test)?\.tsx?$/, '')
    .split('-')
    .find((part) => FORBIDDEN_WORDS.has(part));
  return word === undefined ? undefined : `${path}: "${word}" says nothing; name what it is`;
}

/** Returns a line for each folder of sources that has too many files. */
function fullFolders(files: readonly SourceFile[]): string[] {
  const counts = new Map<string, number>();
  for (const { path } of files) {
    const folder = path.slice(0, path.lastIndexOf('/'));
    if (/(^|\/)src(\/|$)/.test(folder)) counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count > MOST_FILES)
    .map(([folder, count]) => `${folder} has ${count} files, more than ${MOST_FILES}`);
}

/** Returns the circles between files, as `files in a cycle: a -> b -> a`. Type imports count. */
function fileCycles(files: readonly SourceFile[]): string[] {
  const edges = new Map<string, Set<string>>();
  const paths = new Set(files.map(({ path }) => path));
  const fileOf = (path: string, specifier: string) => {
    const file = resolve(path, specifier);
    return paths.has(`${file}x`) ? `${file}x` : file;
  };
  for (const { path, imports } of files)
    edges.set(path, new Set(imports.filter((specifier) => specifier.startsWith('.')).map((specifier) => fileOf(path, specifier))));
  return cyclesOf(edges).map((cycle) => `files in a cycle: ${cycle}`);
}

/** Yields each import from one file of the engine to another. Both paths are relative to its sources. */
function* engineImports(files: readonly SourceFile[]): Generator<{ readonly file: string; readonly target: string }> {
  for (const { path, imports } of files) {
    if (!path.startsWith(ENGINE_SOURCE)) continue;
    for (const specifier of imports) {
      const target = specifier.startsWith('.') ? resolve(path, specifier) : '';
      if (target.startsWith(ENGINE_SOURCE)) yield { file: path.slice(ENGINE_SOURCE.length), target: target.slice(ENGINE_SOURCE.length) };
    }
  }
}

function cyclesOf(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  return [...edges.keys()].flatMap((start) => pathBack(start, edges)?.join(' -> ') ?? []);
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

/** Returns the file of a relative specifier: `./x.js` is `x.ts` beside the importer. */
function resolve(path: string, specifier: string): string {
  return new URL(specifier, `file:///${path}`).pathname.slice(1).replace(/\.js$/, '.ts');
}
