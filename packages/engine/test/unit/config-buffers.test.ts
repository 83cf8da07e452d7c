import { getDefaultHighWaterMark } from 'node:stream';
import { expect, it } from 'vitest';
import { load, problemsOf } from '../config-files.js';

const config = (bytes: number) => `workers: [{ name: iii-stream, config: { max_buffered_bytes: ${bytes} } }]`;

it('ST-20 a bound below the high-water mark of a socket is refused: what lags behind it would never hear of room', () => {
  // Between the two a write answers that there is room, so no `drain` follows and the reader waits for ever.
  expect(problemsOf(config(16_383))).toMatchObject([{ key: 'workers[0].config.max_buffered_bytes' }]);
  expect(problemsOf(config(65_535))).toMatchObject([{ key: 'workers[0].config.max_buffered_bytes' }]);
  expect(load(config(65_536)).stream?.maxBufferedBytes).toBe(65_536);
  expect(getDefaultHighWaterMark(false)).toBeLessThanOrEqual(65_536);
});
