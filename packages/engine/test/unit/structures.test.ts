import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { collectorOf, collectYoungGarbage } from '../../src/core/channels/collect-young-garbage.js';
import { systemClock } from '../../src/structures/clock.js';
import { PairMap } from '../../src/structures/pair-map.js';
import { OutboundBatch } from '../../src/transport/outbound-batch.js';
import { encodeTextFragment, encodeTextFrame, PING_FRAME, textFrameBytes, writeTextFrame } from '../../src/transport/websocket-frame.js';

/** Resolves in the next turn of the event loop, after all work that was deferred to the end of this one. */
const nextTurn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

describe('the system clock', () => {
  it('tells Unix milliseconds, whole', () => {
    const before = Date.now();
    const now = systemClock.now();
    expect(Number.isInteger(now)).toBe(true);
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
  });

  it('measures intervals on a scale that a change of the time of day does not move', () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const before = systemClock.monotonic();
      vi.setSystemTime(0);
      const after = systemClock.monotonic();
      expect(after).toBeGreaterThanOrEqual(before);
      expect(after - before).toBeLessThan(60_000);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a map keyed by pairs', () => {
  it('keeps pairs apart that read the same when joined', () => {
    const map = new PairMap<number>();
    const pairs = [
      ['a', 'bc'],
      ['ab', 'c'],
      ['', 'abc'],
      ['abc', ''],
      ['a:b', 'c'],
      ['a', 'b:c'],
      ['__proto__', 'x'],
      ['x', '__proto__'],
    ] as const;
    pairs.forEach(([first, second], index) => {
      map.set(first, second, index);
    });
    expect(pairs.map(([first, second]) => map.get(first, second))).toEqual(pairs.map((_, index) => index));
    expect(map.size).toBe(pairs.length);
    expect(map.get('constructor', 'name')).toBeUndefined();
  });

  it('counts a key whose value is undefined', () => {
    const map = new PairMap<undefined>();
    map.set('a', 'b', undefined);
    map.set('a', 'b', undefined);
    expect(map.size).toBe(1);
    expect([...map.values()]).toEqual([undefined]);
    expect([map.delete('a', 'b'), map.delete('a', 'b')]).toEqual([true, false]);
    expect(map.size).toBe(0);
  });

  it('behaves after any calls like a plain map of joined keys', () => {
    const name = fc.constantFrom('', 'a', 'b', 'ab', '__proto__');
    const call = fc.record({ kind: fc.constantFrom('set', 'delete', 'get'), first: name, second: name, value: fc.nat() });
    fc.assert(
      fc.property(fc.array(call, { size: '+1' }), (calls) => {
        const map = new PairMap<number>();
        const model = new Map<string, number>();
        for (const { kind, first, second, value } of calls) {
          const key = JSON.stringify([first, second]);
          if (kind === 'set') {
            map.set(first, second, value);
            model.set(key, value);
          } else if (kind === 'delete' && map.delete(first, second) !== model.delete(key)) {
            return false;
          }
          if (map.get(first, second) !== model.get(key) || map.size !== model.size) return false;
        }
        expect([...map.values()].sort((a, b) => a - b)).toEqual([...model.values()].sort((a, b) => a - b));
        return true;
      }),
      { numRuns: 500 },
    );
  });
});

const HEADERS: readonly (readonly [number, readonly number[]])[] = [
  [0, [0]],
  [1, [1]],
  [125, [125]],
  [126, [126, 0, 126]],
  [65_535, [126, 0xff, 0xff]],
  [65_536, [127, 0, 0, 0, 0, 0, 1, 0, 0]],
];

/** Compares long buffers faster than `toEqual`. Shows the lengths and the beginnings when they differ. */
const expectBytes = (actual: Buffer, expected: Buffer) => {
  expect([actual.length, actual.subarray(0, 16).toString('hex')]).toEqual([expected.length, expected.subarray(0, 16).toString('hex')]);
  expect(actual.equals(expected)).toBe(true);
};

describe('a WebSocket frame', () => {
  const frame = (first: number, length: readonly number[], text: string) =>
    Buffer.concat([Buffer.from([first, ...length]), Buffer.from(text)]);

  it.each(HEADERS)('of a text of %i bytes is a final text frame with the shortest length, unmasked', (bytes, length) => {
    const text = 'x'.repeat(bytes);
    expectBytes(encodeTextFrame(text), frame(0x81, length, text));
    expect(textFrameBytes(bytes)).toBe(1 + length.length + bytes);
  });

  it.each(HEADERS)('of a fragment of %i bytes says whether it is the first and whether it is the last', (bytes, length) => {
    const text = 'x'.repeat(bytes);
    expectBytes(encodeTextFragment(text, { first: true, last: true }), frame(0x81, length, text));
    expectBytes(encodeTextFragment(text, { first: true, last: false }), frame(0x01, length, text));
    expectBytes(encodeTextFragment(text, { first: false, last: false }), frame(0x00, length, text));
    expectBytes(encodeTextFragment(text, { first: false, last: true }), frame(0x80, length, text));
  });

  it.each(HEADERS)('of %i bytes is written in its place and touches nothing around it', (bytes, length) => {
    const text = 'x'.repeat(bytes);
    const target = Buffer.alloc(textFrameBytes(bytes) + 10, 0xee);
    expect(writeTextFrame(target, 4, text, bytes)).toBe(4 + textFrameBytes(bytes));
    expectBytes(target, Buffer.concat([Buffer.alloc(4, 0xee), frame(0x81, length, text), Buffer.alloc(6, 0xee)]));
  });

  it('counts UTF-8 bytes, not characters', () => {
    expectBytes(encodeTextFrame('é€😀'), Buffer.from([0x81, 9, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80]));
    expectBytes(encodeTextFrame('é'.repeat(63)), frame(0x81, [126, 0, 126], 'é'.repeat(63)));
    expectBytes(encodeTextFrame('€'.repeat(21_845)), frame(0x81, [126, 0xff, 0xff], '€'.repeat(21_845)));
    expectBytes(encodeTextFrame('😀'.repeat(16_384)), frame(0x81, [127, 0, 0, 0, 0, 0, 1, 0, 0], '😀'.repeat(16_384)));
  });

  it('of an empty ping is two bytes', () => {
    expectBytes(PING_FRAME, Buffer.from([0x89, 0]));
  });

  it('carries any well-formed text so that its bytes read back as the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', size: '+2' }), (text) => {
        const bytes = encodeTextFrame(text);
        const payload = Buffer.byteLength(text);
        return bytes.length === textFrameBytes(payload) && bytes.subarray(bytes.length - payload).toString() === text;
      }),
    );
  });
});

describe('an outbound batch', () => {
  const collect = () => {
    const writes: Buffer[] = [];
    return { writes, batch: new OutboundBatch((frames) => writes.push(frames)) };
  };
  const framesOf = (...texts: readonly string[]) => Buffer.concat(texts.map(encodeTextFrame));

  it('writes everything of one turn in one write at its end, in order', async () => {
    const { writes, batch } = collect();
    const texts = ['{"n":1}', '', 'é€😀', 'x'.repeat(126), 'y'.repeat(65_536)];
    for (const text of texts) batch.add(text);
    expect(writes).toEqual([]);
    await nextTurn();
    expect(writes).toHaveLength(1);
    expectBytes(writes[0] as Buffer, framesOf(...texts));
  });

  it('begins anew with the next turn', async () => {
    const { writes, batch } = collect();
    batch.add('a');
    await nextTurn();
    batch.add('b');
    batch.add('c');
    await nextTurn();
    expect(writes).toEqual([framesOf('a'), framesOf('b', 'c')]);
  });

  it('waits for the end of a turn once, however much is added', () => {
    vi.useFakeTimers({ toFake: ['setImmediate'] });
    try {
      const { writes, batch } = collect();
      for (const text of ['a', 'b', 'c']) batch.add(text);
      expect(vi.getTimerCount()).toBe(1);
      vi.runAllTimers();
      expect(writes).toEqual([framesOf('a', 'b', 'c')]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('writes at once when flushed, and nothing twice', async () => {
    const { writes, batch } = collect();
    batch.add('a');
    batch.flush();
    expect(writes).toEqual([framesOf('a')]);
    batch.flush();
    await nextTurn();
    expect(writes).toEqual([framesOf('a')]);
  });

  it('writes what is added after a flush of the same turn, behind it', async () => {
    const { writes, batch } = collect();
    batch.add('a');
    batch.flush();
    batch.add('b');
    await nextTurn();
    expect(Buffer.concat(writes)).toEqual(framesOf('a', 'b'));
  });

  it('takes texts that are added while it writes', async () => {
    const writes: Buffer[] = [];
    const batch: OutboundBatch = new OutboundBatch((frames) => {
      writes.push(frames);
      if (writes.length === 1) batch.add('second');
    });
    batch.add('first');
    await nextTurn();
    expect(writes).toEqual([framesOf('first'), framesOf('second')]);
    expect(batch.waiting).toBe(0);
  });

  it('tells a lower bound of the bytes that wait: at least a third of them, never more', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        const { writes, batch } = collect();
        for (const text of texts) batch.add(text);
        const payload = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
        expect(batch.waiting).toBeLessThanOrEqual(payload);
        expect(batch.waiting * 3).toBeGreaterThanOrEqual(payload);
        batch.flush();
        expect(batch.waiting).toBe(0);
        expectBytes(Buffer.concat(writes), framesOf(...texts));
      }),
    );
  });
});

describe('a minor collection', () => {
  it('frees young buffers that nobody holds, and leaves no gc behind', async () => {
    for (let n = 0; n < 256; n++) Buffer.from(new ArrayBuffer(65_536));
    const before = process.memoryUsage().arrayBuffers;
    collectYoungGarbage();
    // V8 returns the memory in another thread.
    await expect.poll(() => before - process.memoryUsage().arrayBuffers).toBeGreaterThan(8_000_000);
    expect((globalThis as { gc?: unknown }).gc).toBeUndefined();
  });

  it('does nothing on a runtime without that function, such as Bun', () => {
    expect(() => collectorOf(undefined)({ type: 'minor' })).not.toThrow();
  });
});
