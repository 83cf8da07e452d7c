import { describe, expect, it } from 'vitest';
import { createLogger, type LoggerOptions } from '../../src/logging/pino-logger.js';

function capture(options: LoggerOptions) {
  const lines: string[] = [];
  return { lines, logger: createLogger(options, { write: (line: string) => void lines.push(line) }) };
}

describe('the text format', () => {
  it('is one readable line: local time with its zone, level, event, fields', () => {
    const { lines, logger } = capture({ level: 'info', format: 'text' });
    const before = Date.now();
    logger.warn('join_denied', { stream: 'chat', reason: 'no such function', count: 2 });
    expect(lines).toEqual([
      expect.stringMatching(
        /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d warn join_denied stream=chat reason="no such function" count=2\n$/,
      ),
    ]);
    const at = Date.parse(lines[0]?.split(' ')[0] ?? '');
    expect(Math.abs(at - before)).toBeLessThan(60_000);
  });

  it('keeps a value with line breaks on its line, so that no peer can forge one', () => {
    const { lines, logger } = capture({ level: 'info', format: 'text' });
    logger.info('joined', { group: 'a\n12:00:00 error forged', id: 'x"y', empty: '' });
    expect(lines[0]?.trimEnd().split('\n')).toHaveLength(1);
    expect(lines[0]).toContain('group="a\\n12:00:00 error forged" id="x\\"y" empty=""');
  });

  it('escapes what a terminal would obey: controls above ASCII, line breaks of Unicode, and marks of the direction', () => {
    const { lines, logger } = capture({ level: 'info', format: 'text' });
    const marks = '\u007f\u0085\u009b\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069';
    logger.info('joined', { group: `a${marks}`, of: { [marks]: marks } });
    expect(lines[0]).toMatch(/^[ -~]+\n$/);
    expect(JSON.parse(/group=(\S+)/.exec(lines[0] ?? '')?.[1] ?? '')).toBe(`a${marks}`);
  });
});

describe('the json format', () => {
  it('is one object a line', () => {
    const { lines, logger } = capture({ level: 'info', format: 'json' });
    logger.error('store_failed', { error: new TypeError('bad'), offset: 12n });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 'error',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      event: 'store_failed',
      error: expect.stringMatching(/^TypeError: bad\n/),
      offset: '12',
    });
  });

  it('cuts long texts', () => {
    const { lines, logger } = capture({ level: 'info', format: 'json' });
    logger.info('odd', { text: 'x'.repeat(100_000) });
    expect(lines[0]?.length).toBeLessThan(2_200);
  });
});

it.each([
  ['error', ['error']],
  ['warn', ['warn', 'error']],
  ['debug', ['debug', 'info', 'warn', 'error']],
] as const)('level %s lets through what is as severe', (level, expected) => {
  const { lines, logger } = capture({ level, format: 'json' });
  for (const name of ['debug', 'info', 'warn', 'error'] as const) logger[name](name);
  expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(expected);
});
