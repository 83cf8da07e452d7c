import { join } from 'node:path';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { describe, expect, it } from 'vitest';
import { describeConfig } from '../../src/config/loading/describe-config.js';
import { loadConfig } from '../../src/config/loading/load-config.js';
import { load, problemsOf, warningCodes } from '../config-files.js';

const SPACE_KEYS = 'min_free_bytes: 1024, min_free_percent: 0, ballast_bytes: 512';
const SPACE = { minFreeBytes: 1_024, minFreePercent: 0, ballastBytes: 512 };
const FILE_BASED = 'store_method: file_based';
const state = (config: string) => `workers:\n  - name: iii-state\n    config: ${config}\n`;
const kv = (config: string) => `adapter: { name: kv, config: { ${config} } }`;

describe('an iii-state entry', () => {
  it('that is absent leaves state out', () => {
    expect(load('workers: [{ name: iii-stream }]').state).toBeUndefined();
  });

  it.each(['iii-state', 'state'])('has its defaults as %s, and says that memory forgets', (name) => {
    const config = load(`workers: [{ name: ${name} }]`);
    expect(config.state).toEqual({ triggersEnabled: true, maxValueBytes: undefined, adapter: { kind: 'memory' } });
    expect(config.warnings).toEqual([
      {
        code: 'store_in_memory',
        message: expect.stringMatching(/state is kept in memory, restarts lose data; set store_method: file_based/),
      },
    ]);
  });

  it('takes every key', () => {
    const text = state(
      `{ triggers_enabled: false, max_value_bytes: 1024, ${kv(`${FILE_BASED}, file_path: ./own, durability: relaxed, lock_wait_ms: 700, ${SPACE_KEYS}`)} }`,
    );
    const cwd = directoryWith({ 'config.yaml': text });
    const config = loadConfig({ cwd, env: {}, lenient: false });
    expect(config.warnings).toEqual([]);
    expect(config.state).toEqual({
      triggersEnabled: false,
      maxValueBytes: 1024,
      adapter: {
        kind: 'lmdb',
        path: join(cwd, 'own'),
        durability: 'relaxed',
        saveIntervalMs: 5_000,
        lockWaitMs: 700,
        compactAtStart: true,
        space: SPACE,
      },
    });
  });

  it.each([
    [`{ save_interval_ms: 700, ${kv(FILE_BASED)} }`, 700],
    [`{ save_interval_ms: 700, ${kv(`${FILE_BASED}, save_interval_ms: 900`)} }`, 900],
    [`{ save_interval_ms: 700, ${kv(`${FILE_BASED}, save_interval_ms: null`)} }`, 700],
    [`{ ${kv(FILE_BASED)} }`, 5_000],
  ])('flushes as its adapter says, else as it says itself: %s', (config, expected) => {
    expect(load(state(config)).state?.adapter).toMatchObject({ saveIntervalMs: expected });
  });

  it.each([
    ['{ triggers_enabled: "yes" }', 'workers[0].config.triggers_enabled', 'true or false'],
    ['{ max_value_bytes: 0 }', 'workers[0].config.max_value_bytes', 'at least 1'],
    ['{ max_value_bytes: 1.5 }', 'workers[0].config.max_value_bytes', 'whole number'],
    ['{ save_interval_ms: 99 }', 'workers[0].config.save_interval_ms', 'from 100 to 3600000'],
    ['{ trigers_enabled: true }', 'workers[0].config.trigers_enabled', '"triggers_enabled"'],
    [
      '{ adapter: { name: kv, config: { store_method: disk } } }',
      'workers[0].config.adapter.config.store_method',
      'in_memory or file_based',
    ],
    [
      '{ adapter: { name: redis, config: { redis_url: 1 } } }',
      'workers[0].config.adapter.config.redis_url',
      'a redis:// or rediss:// address',
    ],
    ['{ adapter: { name: bridge } }', 'workers[0].config.adapter', 'state adapter "bridge" is not supported'],
  ])('refuses %s', (config, key, reason) => {
    expect(problemsOf(state(config))).toEqual([expect.objectContaining({ line: 3, key, message: expect.stringContaining(reason) })]);
  });

  it('is printed as it is read', () => {
    const first = load(state(`{ triggers_enabled: false, max_value_bytes: 9, ${kv(`${FILE_BASED}, save_interval_ms: 200`)} }`));
    const again = load(JSON.stringify(describeConfig(first)));
    expect(again.state).toEqual(first.state);
    expect(describeConfig(again)).toEqual(describeConfig(first));
  });
});

describe('CF-8 stream and state', () => {
  const both = (streams: string, states: string) =>
    `workers:\n  - { name: iii-stream, config: { ${kv(streams)} } }\n  - { name: iii-state, config: { ${kv(states)} } }\n`;

  it('on defaults keep apart', () => {
    const config = load(both(FILE_BASED, FILE_BASED));
    expect([config.stream?.adapter, config.state?.adapter]).toMatchObject([
      { path: expect.stringMatching(/\/data\/streams$/) },
      { path: expect.stringMatching(/\/data\/state$/) },
    ]);
  });

  it.each([
    ['./kv.db', './kv.db'],
    ['./kv.db', 'other/../kv.db/'],
    ['./data/state', ''],
    ['', './data/streams'],
  ])('may not share a directory: %s and %s', (streams, states) => {
    const at = (path: string) => (path === '' ? FILE_BASED : `${FILE_BASED}, file_path: ${path}`);
    expect(problemsOf(both(at(streams), at(states)))).toEqual([
      expect.objectContaining({
        line: 3,
        message: expect.stringMatching(/is the directory of iii-stream and of iii-state; give each a file_path/),
      }),
    ]);
  });

  it('in memory share nothing, whatever their paths', () => {
    expect(warningCodes(load(both('file_path: ./one', 'file_path: ./one')))).toEqual(['store_in_memory', 'store_in_memory']);
  });
});

describe('an iii-pubsub entry', () => {
  it.each(['{ name: iii-pubsub }', '{ name: pubsub, config: { adapter: { name: local } } }'])('turns topics on: %s', (entry) => {
    const config = load(`workers: [${entry}]`);
    expect([config.pubsub, config.warnings]).toEqual([true, []]);
    expect(load(JSON.stringify(describeConfig(config))).pubsub).toBe(true);
  });

  it('with redis, or of an older file, says how far a topic reaches', () => {
    const redis = load('workers: [{ name: iii-pubsub, config: { adapter: { name: redis } } }]');
    expect(redis).toMatchObject({
      pubsub: true,
      warnings: [{ code: 'pubsub_in_process', message: expect.stringContaining('adapter redis is not built') }],
    });
    expect(warningCodes(load('modules: [{ class: "modules::pubsub::PubSubModule" }]'))).toEqual(['pubsub_in_process']);
  });

  it('that is absent leaves them out', () => {
    expect(load('workers: [{ name: iii-stream }]').pubsub).toBe(false);
  });
});
