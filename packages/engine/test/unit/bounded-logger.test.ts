import { LIMITS } from '@rivulet/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { WorkerLogs } from '../../src/core/engine-api/worker-logs.js';
import { BoundedLogger } from '../../src/logging/bounded-logger.js';
import { type LogFields, silentLogger } from '../../src/logging/logger.js';

const RATES = { ofEvent: 10, ofDebugEvent: 100, special: { worker_log: 2_000 }, all: 4_000 };

function bounded() {
  const lines: { event: string; fields: LogFields | undefined }[] = [];
  const time = { now: 0 };
  const clock = { now: () => time.now, monotonic: () => time.now };
  const note = (event: string, fields?: LogFields) => void lines.push({ event, fields });
  const logger = new BoundedLogger({ ...silentLogger, warn: note, info: note }, clock, RATES);
  const pass = (milliseconds: number) => {
    time.now += milliseconds;
    vi.advanceTimersByTime(milliseconds);
  };
  const count = (event: string) => lines.filter((line) => line.event === event).length;
  return { logger, clock, lines, pass, count };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('S40 of each kind at most ten lines a second are written, and what was left out is counted and said', () => {
  const { logger, lines, pass, count } = bounded();
  for (let n = 0; n < 100; n++) logger.warn('auth_refused', { n });
  logger.warn('origin_refused');
  expect(count('auth_refused')).toBe(RATES.ofEvent);
  expect(count('origin_refused')).toBe(1);
  expect(logger.linesLeftOut).toBe(90);
  pass(1_000);
  expect(lines.at(-1)).toEqual({ event: 'log_lines_left_out', fields: { lines: 90, of: { auth_refused: 90 } } });
  logger.warn('auth_refused');
  expect(count('auth_refused')).toBe(RATES.ofEvent + 1);
});

it('S40 a flood of a minute leaves ten lines a second and one count a second', () => {
  const { logger, pass, count, lines } = bounded();
  for (let n = 0; n < 6_000; n++) {
    logger.warn('auth_refused');
    pass(10);
  }
  logger.close();
  expect(count('auth_refused')).toBeLessThanOrEqual(61 * RATES.ofEvent);
  expect(count('log_lines_left_out')).toBeLessThanOrEqual(61);
  const said = lines.map(({ fields }) => (fields?.lines as number | undefined) ?? 0).reduce((sum, n) => sum + n, 0);
  expect(said + count('auth_refused')).toBe(6_000);
});

it('S40 names that never end are counted together', () => {
  const { logger, lines } = bounded();
  for (let n = 0; n < 5_000; n++) logger.warn(`event-${n}`);
  expect(lines.length).toBeLessThanOrEqual(1_000 + RATES.ofEvent);
  logger.close();
  expect(lines.at(-1)?.fields).toMatchObject({ of: { other: expect.any(Number) } });
});

it('E10 each worker has a bound of its own for lines of the log', () => {
  const { logger, clock, pass, lines } = bounded();
  const logs = new WorkerLogs(logger, clock);
  const loud = { workerId: 'loud' };
  const allowed = (worker: { workerId: string }, times: number) =>
    Array.from({ length: times }, () => logs.mayWrite(worker)).filter(Boolean).length;
  expect(allowed(loud, 5_000)).toBe(LIMITS.workerLogLinesBurst);
  expect(allowed({ workerId: 'other' }, 10)).toBe(10);
  pass(1_000);
  expect(lines).toEqual([{ event: 'worker_log_left_out', fields: { worker: 'loud', lines: 5_000 - LIMITS.workerLogLinesBurst } }]);
  expect(allowed(loud, 5_000)).toBe(LIMITS.workerLogLinesPerSecond);
});
