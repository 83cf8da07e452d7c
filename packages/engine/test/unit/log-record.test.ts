import { describe, expect, it } from 'vitest';
import { RecordBuffer, recordsIn } from '../../src/store/lmdb/log/log-record.js';

const SECTOR = 512;
const RUN = Buffer.from('0123456789abcdef', 'hex');

function recordOf(sequence: number, values: readonly string[], run = RUN): Buffer {
  const buffer = new RecordBuffer(100_000);
  buffer.remove(2, Buffer.from('old'));
  for (const [index, value] of values.entries()) buffer.put(index, Buffer.from(`k${index}`), Buffer.from(value));
  return Buffer.from(buffer.seal(sequence, 100 + sequence, run) as Buffer);
}

const sequences = (content: Buffer) => [...recordsIn(content, RUN)].map(({ sequence }) => sequence);

describe('records of the log', () => {
  it('come back as they were written, and each begins at a sector', () => {
    const content = Buffer.concat([recordOf(1, ['a', 'x'.repeat(70_000)]), recordOf(2, ['']), Buffer.alloc(4_096)]);
    const [first, second, ...rest] = recordsIn(content, RUN);
    expect(content.length % SECTOR).toBe(0);
    expect(rest).toEqual([]);
    expect(first).toMatchObject({ sequence: 1, transaction: 101 });
    expect(first?.operations.map(({ table, key, value }) => [table, key.toString(), value?.length])).toEqual([
      [2, 'old', undefined],
      [0, 'k0', 1],
      [1, 'k1', 70_000],
    ]);
    expect(second?.operations.at(-1)?.value).toEqual(Buffer.alloc(0));
  });

  it('do not count when any part of them is missing, and the others still count', () => {
    const parts = [recordOf(1, ['a']), recordOf(2, ['b'.repeat(3_000)]), recordOf(3, ['c'])];
    const content = Buffer.concat(parts);
    const start = parts[0]?.length ?? 0;
    for (let sector = 0; sector * SECTOR < (parts[1]?.length ?? 0); sector++) {
      const torn = Buffer.from(content);
      torn.fill(0, start + sector * SECTOR, start + (sector + 1) * SECTOR);
      expect(sequences(torn)).toEqual([1, 3]);
    }
    for (let end = 0; end < content.length - SECTOR; end += 100) expect(sequences(content.subarray(0, end)).length).toBeLessThan(3);
  });

  it('of another run do not count, and neither do values that look like records', () => {
    const other = Buffer.from('ffffffffffffffff', 'hex');
    expect(sequences(Buffer.concat([recordOf(1, ['a'], other), recordOf(2, ['b'])]))).toEqual([2]);
    const inner = recordOf(9, ['x'], other);
    const outer = recordOf(1, [' '.repeat(SECTOR) + inner.toString('latin1').repeat(4)]);
    outer[0] = 0;
    expect(sequences(outer)).toEqual([]);
  });

  it('that are too large are not written, and the buffer is good for the next one', () => {
    const buffer = new RecordBuffer(1_000);
    buffer.put(0, Buffer.from('k'), Buffer.alloc(2_000));
    expect(buffer.isEmpty).toBe(false);
    expect(buffer.seal(1, 1, RUN)).toBeUndefined();
    buffer.clear();
    expect(buffer.isEmpty).toBe(true);
    buffer.put(0, Buffer.from('k'), Buffer.from('v'));
    expect(sequences(buffer.seal(2, 2, RUN) as Buffer)).toEqual([2]);
  });
});
