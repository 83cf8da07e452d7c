import { describe, expect, it } from 'vitest';
import { runInBackground, runSafely } from '../../src/logging/background.js';
import type { LogFields, Logger } from '../../src/logging/logger.js';

function recorder() {
  const lines: [string, LogFields | undefined][] = [];
  const add = (event: string, fields?: LogFields) => {
    lines.push([event, fields]);
  };
  const logger: Logger = { debug: add, info: add, warn: add, error: add };
  return { lines, logger };
}

describe('a task that nobody awaits', () => {
  it('is logged when it rejects, and what it served recovers', async () => {
    const { lines, logger } = recorder();
    const error = new URIError('malformed');
    await new Promise<void>((resolve) => runInBackground(Promise.reject(error), logger, 'upgrade', resolve));
    expect(lines).toEqual([['background_failed', { task: 'upgrade', error }]]);
  });

  it('is logged also when the recovery throws', async () => {
    const { lines, logger } = recorder();
    const recover = () => {
      throw new Error('again');
    };
    runInBackground(Promise.reject(new Error('first')), logger, 'upgrade', recover);
    await expect.poll(() => lines.map(([, fields]) => fields?.['task'])).toEqual(['upgrade', 'upgrade: recover']);
  });

  it('leaves no line when it succeeds', async () => {
    const { lines, logger } = recorder();
    runInBackground(Promise.resolve(), logger, 'upgrade');
    runSafely(() => {}, logger, 'timer');
    await new Promise((resolve) => setImmediate(resolve));
    expect(lines).toEqual([]);
  });
});

describe('a step that nobody guards', () => {
  it('is logged when it throws, and its caller goes on', () => {
    const { lines, logger } = recorder();
    const error = new Error('boom');
    runSafely(
      () => {
        throw error;
      },
      logger,
      'call_answer',
    );
    expect(lines).toEqual([['background_failed', { task: 'call_answer', error }]]);
  });
});
