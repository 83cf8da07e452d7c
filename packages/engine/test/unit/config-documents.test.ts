import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixture } from '@rivulet/testkit/config-fixtures';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { ENGINE_VERSION } from '../../src/config/engine-version.js';
import { describeConfig } from '../../src/config/loading/describe-config.js';
import { loadConfig } from '../../src/config/loading/load-config.js';
import {
  httpSchema,
  kvSchemas,
  LOG_FORMATS,
  LOG_LEVELS,
  rbacSchema,
  redisSchemas,
  stateSchema,
  streamSchema,
  workerManagerSchema,
} from '../../src/config/loading/worker-schemas.js';
import { load, ROOT } from '../config-files.js';

const SAMPLE = readFileSync(join(ROOT, 'iii-config.yaml'), 'utf8');
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

const plain = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

describe('iii-config.yaml', () => {
  const streamSample = sampleConfig('iii-stream');
  const kvSample = (streamSample.adapter as SampleEntry).config;
  const stateSample = sampleConfig('iii-state');

  it.each([
    ['iii-worker-manager', workerManagerSchema, sampleConfig('iii-worker-manager')],
    ['iii-stream', streamSchema, streamSample],
    ['the kv adapter', kvSchemas.stream, kvSample],
    ['iii-state', stateSchema, stateSample],
    ['iii-http', httpSchema, sampleConfig('iii-http')],
    ['the kv adapter of state', kvSchemas.state, (stateSample.adapter as SampleEntry).config],
  ])('has each key of %s with its default, those without one commented out', (_entry, schema, sample) => {
    const defaults: Record<string, unknown> = schema.parse({});
    const keys = Object.keys(schema.shape).filter((key) => key !== 'adapter');
    expect(keys.filter((key) => !SAMPLE.match(lineOf(key, sample[key], defaults[key])))).toEqual([]);
    const set = keys.filter((key) => defaults[key] !== undefined && !SET_APART.includes(key));
    expect(Object.fromEntries(set.map((key) => [key, sample[key]]))).toEqual(Object.fromEntries(set.map((key) => [key, defaults[key]])));
    expect(Object.keys(schema.shape)).toEqual(expect.arrayContaining(Object.keys(sample)));
  });

  it('loads as it is, and amounts to the engine without a file', () => {
    const cwd = directoryWith();
    const config = loadConfig({ file: join(ROOT, 'iii-config.yaml'), cwd, env: {}, lenient: false });
    expect({ ...config, file: undefined }).toEqual(loadConfig({ cwd, env: {}, lenient: false }));
  });
});

describe('docs/configuration.md', () => {
  /** Returns the rows of the key table below a heading: key, default, bound. */
  const rows = (heading: string): string[][] => {
    const section = DOCUMENT.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
    return [...section.matchAll(/^\| `(\w+)` \| (.+?) \| .+? \| (.+?) \|$/gm)].map(([, key = '', standard = '', bound = '']) => [
      key,
      standard,
      bound,
    ]);
  };
  const code = (value: unknown) => (value === undefined ? 'none' : `\`${plain(value)}\``);

  it.each([
    ['iii-worker-manager', workerManagerSchema],
    ['rbac', rbacSchema],
    ['iii-stream', streamSchema],
    ['Adapter kv', kvSchemas.stream],
    ['Adapter redis', redisSchemas.stream],
    ['iii-state', stateSchema],
    ['iii-http', httpSchema],
  ])('has each key of %s with its default and bound', (heading, schema) => {
    const defaults: Record<string, unknown> = schema.parse({});
    expect(rows(heading)).toEqual(Object.entries(schema.shape).map(([key, { description }]) => [key, code(defaults[key]), description]));
  });

  it('has the keys of logging', () => {
    expect(rows('iii-observability')).toEqual([
      ['level', '`info`', LOG_LEVELS.join(' or ')],
      ['format', '`default`', LOG_FORMATS.join(' or ')],
    ]);
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

it('the version of the engine is that of its package', () => {
  expect(JSON.parse(readFileSync(join(ROOT, 'packages/engine/package.json'), 'utf8'))).toMatchObject({ version: ENGINE_VERSION });
});
