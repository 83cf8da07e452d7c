import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixture } from '@rivulet/testkit/config-fixtures';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { ENGINE_VERSION } from '../../src/config/engine-version.js';
import { ADMIN_KEYS } from '../../src/config/keys/admin-keys.js';
import { GROUP_BOUNDS_KEYS } from '../../src/config/keys/group-bounds-keys.js';
import { HTTP_KEYS } from '../../src/config/keys/http-keys.js';
import { JWT_KEYS } from '../../src/config/keys/jwt-keys.js';
import type { Keys } from '../../src/config/keys/key.js';
import { KV_KEYS } from '../../src/config/keys/kv-keys.js';
import { LOGGING_KEYS } from '../../src/config/keys/logging-keys.js';
import { RBAC_KEYS } from '../../src/config/keys/rbac-keys.js';
import { REDIS_KEYS } from '../../src/config/keys/redis-keys.js';
import { STATE_KEYS } from '../../src/config/keys/state-keys.js';
import { STREAM_KEYS } from '../../src/config/keys/stream-keys.js';
import { WORKER_MANAGER_KEYS } from '../../src/config/keys/worker-listener-keys.js';
import { describeConfig } from '../../src/config/loading/describe-config.js';
import { loadConfig } from '../../src/config/loading/load-config.js';
import { load, ROOT } from '../config-files.js';

const SAMPLE = readFileSync(join(ROOT, 'rivulet.yaml'), 'utf8');
const DOCUMENT = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8');

interface SampleEntry {
  readonly name: string;
  readonly config: Record<string, unknown>;
}

const sampleConfig = (name: string): Record<string, unknown> => {
  const { workers } = parse(SAMPLE) as { workers: SampleEntry[] };
  return workers.find((entry) => entry.name === name)?.config ?? {};
};

/** Keys that the sample sets to another value than the default on purpose, so that it is durable. */
const SET_APART = ['store_method'];

/** Returns the form that the line of a key must have: its default, a comment that names it, or commented out. */
function lineOf(key: string, value: unknown, standard: unknown): RegExp {
  if (standard === undefined) return new RegExp(`^ +# ${key}: `, 'm');
  return SET_APART.includes(key)
    ? new RegExp(`^ +${key}: ${plain(value)} # default: ${plain(standard)}$`, 'm')
    : new RegExp(`^ +${key}: `, 'm');
}

/** Returns the value of each key that a file leaves out. */
const defaultsOf = (table: Keys): Record<string, unknown> =>
  Object.fromEntries(Object.values(table).map(({ name, schema }) => [name, schema.safeParse(undefined).data]));

const plain = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

describe('rivulet.yaml', () => {
  const streamSample = sampleConfig('rivulet-stream');
  const kvSample = (streamSample.adapter as SampleEntry).config;
  const stateSample = sampleConfig('rivulet-state');

  it.each([
    ['rivulet-worker-manager', WORKER_MANAGER_KEYS, sampleConfig('rivulet-worker-manager')],
    ['rivulet-stream', STREAM_KEYS, streamSample],
    ['the kv adapter', KV_KEYS.stream, kvSample],
    ['rivulet-state', STATE_KEYS, stateSample],
    ['rivulet-http', HTTP_KEYS, sampleConfig('rivulet-http')],
    ['rivulet-admin', ADMIN_KEYS, sampleConfig('rivulet-admin')],
    ['the kv adapter of state', KV_KEYS.state, (stateSample.adapter as SampleEntry).config],
  ])('has each key of %s with its default, those without one commented out', (_entry, table: Keys, sample) => {
    const names = Object.values(table).map(({ name }) => name);
    const defaults = defaultsOf(table);
    const keys = names.filter((key) => key !== 'adapter');
    expect(keys.filter((key) => !SAMPLE.match(lineOf(key, sample[key], defaults[key])))).toEqual([]);
    const set = keys.filter((key) => defaults[key] !== undefined && !SET_APART.includes(key));
    expect(Object.fromEntries(set.map((key) => [key, sample[key]]))).toEqual(Object.fromEntries(set.map((key) => [key, defaults[key]])));
    expect(names).toEqual(expect.arrayContaining(Object.keys(sample)));
  });

  it('loads as it is, and amounts to the engine without a file', () => {
    const cwd = directoryWith();
    const config = loadConfig({ file: join(ROOT, 'rivulet.yaml'), cwd, env: {}, lenient: false });
    expect({ ...config, file: undefined }).toEqual(loadConfig({ cwd, env: {}, lenient: false }));
  });
});

describe('docs/configuration.md', () => {
  /** Returns the rows of the key table below a heading. */
  const rows = (heading: string): string[] => {
    const section = DOCUMENT.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
    return section.match(/^\| `\w+` \| .+ \|$/gm) ?? [];
  };
  const code = (value: unknown) => (value === undefined ? 'none' : `\`${plain(value)}\``);
  const expected = (table: Keys) => {
    const defaults = defaultsOf(table);
    return Object.values(table).map(
      ({ name, meaning, schema }) => `| \`${name}\` | ${code(defaults[name])} | ${meaning} | ${schema.description} |`,
    );
  };

  it.each([
    ['rivulet-worker-manager', WORKER_MANAGER_KEYS],
    ['rbac', RBAC_KEYS],
    ['auth.jwt', JWT_KEYS],
    ['rivulet-stream', STREAM_KEYS],
    ['group_bounds', GROUP_BOUNDS_KEYS],
    ['Adapter kv', KV_KEYS.stream],
    ['Adapter redis', REDIS_KEYS.stream],
    ['rivulet-observability', LOGGING_KEYS],
    ['rivulet-state', STATE_KEYS],
    ['rivulet-http', HTTP_KEYS],
    ['rivulet-admin', ADMIN_KEYS],
  ])('has a row for each key of %s, as its table in packages/engine/src/config/keys says', (heading, table) => {
    expect(rows(heading)).toEqual(expected(table));
  });
});

describe('the described configuration', () => {
  it.each(['equivalent-old.yaml', 'complete-old.yaml', 'sdk-main.yaml', 'sdk-bridge-backend.yaml'])(
    'of %s gives the same again',
    (name) => {
      const first = loadConfig({ file: fixture(name), cwd: '/srv', env: {}, lenient: false });
      const again = load(stringify(describeConfig(first)));
      expect({ ...again, file: undefined, warnings: [], notes: [] }).toEqual({ ...first, file: undefined, warnings: [], notes: [] });
      expect(describeConfig(again)).toEqual(describeConfig(first));
    },
  );
});

it('pages and examples use our names of entries, but where configuration.md says where the others come from', () => {
  const folders = ['docs', 'examples', 'ops'].map((folder) => join(ROOT, folder));
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !/node_modules|\/test(?:\/|$)|\/dist(?:\/|$)/.test(entry.parentPath))
      .filter(({ name }) => /\.(?:md|mjs|ts|ya?ml|cfg|conf)$/.test(name) && !['configuration.md', 'upgrading.md'].includes(name))
      .map(({ parentPath, name }) => join(parentPath, name)),
  );
  const others = /\biii-(?:worker-manager|stream|state|http|pubsub|observability)\b(?!-)/;
  expect(files.length).toBeGreaterThan(50);
  expect([join(ROOT, 'README.md'), ...files].filter((file) => others.test(readFileSync(file, 'utf8')))).toEqual([]);
});

it('the version of the engine is that of its package', () => {
  expect(JSON.parse(readFileSync(join(ROOT, 'packages/engine/package.json'), 'utf8'))).toMatchObject({ version: ENGINE_VERSION });
});
