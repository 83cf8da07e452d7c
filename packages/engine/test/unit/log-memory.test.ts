import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BoundedLogger } from '../../src/logging/bounded-logger.js';
import { LogMemory } from '../../src/logging/log-memory.js';
import { type LogFields, silentLogger } from '../../src/logging/logger.js';
import { LIMIT_EVENTS } from '../../src/metrics/limit-events.js';
import { ROOT } from '../config-files.js';

function recent(bounds = { all: 5, ofEvent: 2 }) {
  const time = { now: 1_000 };
  const written: [string, LogFields | undefined][] = [];
  const lines = new LogMemory({ now: () => time.now++ }, bounds);
  const note = (event: string, fields?: LogFields) => void written.push([event, fields]);
  const logger = lines.tap({ ...silentLogger, info: note, warn: note, error: note });
  return { lines, logger, written, events: () => Array.from(lines.before(), ({ event }) => event) };
}

it('keeps the newest warnings and errors, the newest first, and passes every line on', () => {
  const { lines, logger, written, events } = recent();
  logger.info('started');
  logger.debug('detail');
  for (const event of ['a', 'b', 'c', 'd', 'e', 'f']) logger.warn(event);
  logger.error('g', { code: 'X' });
  expect(events()).toEqual(['g', 'f', 'e', 'd', 'c']);
  expect(written).toHaveLength(8);
  expect(Array.from(lines.before(5), ({ event }) => event)).toEqual(['d', 'c']);
});

it('an event that repeats displaces no other', () => {
  const { logger, events } = recent();
  logger.warn('rare');
  for (let n = 0; n < 100; n++) logger.warn('often');
  expect(events()).toEqual(['often', 'often', 'rare']);
});

it('counts each event, also the lines that were left out and the times that a line stands for', () => {
  const { lines, logger } = recent();
  const bounded = new BoundedLogger(logger, { monotonic: () => 0 }, { ofEvent: 2, ofDebugEvent: 2, special: {}, all: 100 });
  for (let n = 0; n < 7; n++) bounded.warn('often');
  bounded.warn('spool_full', { times: 40 });
  bounded.close();
  expect(lines.timesOf('often')?.times).toBe(7);
  expect(lines.timesOf('spool_full')?.times).toBe(40);
  expect(lines.timesOf('never')).toBeUndefined();
});

it('keeps fields that JSON can carry, and no more of them than a bound', () => {
  const { lines, logger } = recent();
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`f${n}`, n]));
  logger.warn('strange', {
    text: 'x'.repeat(5_000),
    big: 1n,
    none: undefined,
    nan: Number.NaN,
    error: new Error('broken'),
    cycle,
    ...many,
  });
  const [line] = lines.before();
  expect(Object.keys(line?.fields ?? {})).toHaveLength(16);
  expect(line?.fields).toMatchObject({ text: `${'x'.repeat(256)}…`, none: 'undefined', nan: 'NaN' });
  expect(line?.fields.error).toContain('broken');
  for (const value of Object.values(line?.fields ?? {})) expect(String(value).length).toBeLessThanOrEqual(257);
  expect(() => JSON.stringify(line)).not.toThrow();
});

/** Events that limits.md names, and that also report other causes or are no warnings. */
const OTHER_CAUSES = [
  'admin_request_failed',
  'auth_refused',
  'auth_undecided',
  'call_position_unknown',
  'join_function_failed',
  'jwt_keys_failed',
  'start_failed',
  'stream_frame_ignored',
  'tracing_failed',
  'void_call_failed',
];

it('each event that docs/limits.md names stands for the limits of its rows, in the section of the first', () => {
  const named = new Map<string, { section: string; limits: string[] }>();
  let section = '';
  let before: string[] = [];
  for (const line of readFileSync(join(ROOT, 'docs/limits.md'), 'utf8').split('\n')) {
    const heading = /^## (.*)/.exec(line)?.[1];
    if (heading !== undefined) [section, before] = [heading.toLowerCase().replace(/,/g, '').replace(/ /g, '-'), []];
    const [, limit = '', effect = ''] = /^\| `(\w+)` \|.*\| ([^|]*) \|$/.exec(line) ?? [];
    if (limit === '') continue;
    if (!effect.includes('As above')) before = Array.from(effect.matchAll(/log `(\w+)`/g), ([, event = '']) => event);
    for (const event of before) {
      if (!named.has(event)) named.set(event, { section, limits: [] });
      named.get(event)?.limits.push(limit);
    }
  }
  for (const event of OTHER_CAUSES) expect([event, named.delete(event)]).toEqual([event, true]);
  expect(Object.fromEntries(named)).toEqual(LIMIT_EVENTS);
});
