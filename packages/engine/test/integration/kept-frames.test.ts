import { describe, expect, it } from 'vitest';
import { Channels } from '../../src/core/channels/channels.js';
import { NonBlockingOutput } from '../../src/logging/line-output.js';
import { GroupLog } from '../../src/stream/fanout/group-log.js';
import { OutboundBatch } from '../../src/transport/outbound-batch.js';
import { encodeTextFrame } from '../../src/transport/websocket-frame.js';

/** Size of the blocks from which Node cuts small buffers. */
const POOL = Buffer.poolSize;
/** Most bytes that a log may keep alive beside the bytes that it counts: the block in use and the block that empties. */
const SPARE = 2 * POOL;

/** Takes memory from Node's blocks between two changes and drops it at once, as other work of the engine does. */
function workOfOthers(): void {
  for (let bytes = 0; bytes < POOL; bytes += 1_000) Buffer.allocUnsafe(1_000);
}

/** Returns the bytes of the memory blocks behind these buffers. Each block counts once. */
function blockBytes(buffers: readonly Buffer[]): number {
  return [...new Set(buffers.map(({ buffer }) => buffer))].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Returns the frames that a log keeps. */
function framesOf(log: GroupLog): readonly Buffer[] {
  const frames: Buffer[] = [];
  for (let cursor = log.base; cursor < log.head; cursor++) frames.push(log.stretch(cursor, { maxBytes: 1 }).frames as Buffer);
  return frames;
}

function append(log: GroupLog, from: number, to: number, chars: (offset: number) => number): void {
  for (let offset = from; offset <= to; offset++) {
    workOfOthers();
    log.append(offset, 'a', encodeTextFrame(`${offset}`.padEnd(chars(offset), '.')), offset);
  }
}

describe('the log of a group holds little more memory than it charges', () => {
  it.each([
    ['short frames', () => 20],
    ['frames of all lengths', (offset: number) => (offset * 397) % 9_000],
    ['frames that leave half of a block unused', () => POOL / 2 - 10],
  ])('%s', (_what, chars) => {
    const log = new GroupLog();
    append(log, 1, 1_000, chars);
    expect(blockBytes(framesOf(log))).toBeLessThanOrEqual(2 * log.bytes + SPARE);
    const sent = Array.from({ length: 1_000 }, (_, n) => encodeTextFrame(`${n + 1}`.padEnd(chars(n + 1), '.')));
    expect(Buffer.concat(framesOf(log)).equals(Buffer.concat(sent))).toBe(true);
  });

  it('while old changes fall out of it', () => {
    const log = new GroupLog();
    for (let offset = 1; offset <= 2_000; offset++) {
      append(log, offset, offset, () => 100);
      if (log.length > 50) log.dropOldest();
    }
    expect(blockBytes(framesOf(log))).toBeLessThanOrEqual(2 * log.bytes + SPARE);
  });

  it('with one change only, as most groups have', () => {
    const log = new GroupLog();
    append(log, 1, 1, () => 100);
    expect(blockBytes(framesOf(log))).toBeLessThanOrEqual(log.bytes);
  });

  it('after all its changes fell out', () => {
    const log = new GroupLog();
    append(log, 1, 500, () => 100);
    while (log.length > 0) log.dropOldest();
    append(log, 501, 501, () => 100);
    expect(blockBytes(framesOf(log))).toBeLessThanOrEqual(log.bytes);
  });
});

it('a channel holds little more memory for short messages than it charges', () => {
  const channels = new Channels({ now: () => 0, monotonic: () => 0 });
  const channel = channels.create(1_000);
  channel.attachWriter({ pause: () => {}, resume: () => {}, probePeer: () => {}, finish: () => {} });
  for (let n = 0; n < 500; n++) {
    workOfOthers();
    channel.write({ data: Buffer.from(`${n}`.padEnd(n % 2 === 0 ? 10 : 5_000)).subarray(0, 10), binary: true });
  }
  const charged = channels.held;
  const kept: Buffer[] = [];
  channel.attachReader({ ready: true, deliver: ({ data }) => void kept.push(data), finish: () => {} });
  expect(kept.map(String)).toEqual(Array.from({ length: 500 }, (_, n) => `${n}`.padEnd(10)));
  expect(blockBytes(kept)).toBeLessThanOrEqual(charged);
});

it('what waits for a worker that reads nothing holds no more memory than it counts', () => {
  const waiting: Buffer[] = [];
  const batch = new OutboundBatch(
    (frames) => waiting.push(frames),
    () => waiting.length > 0,
  );
  for (let n = 0; n < 500; n++) {
    workOfOthers();
    batch.add(`{"n":${n}}`);
    batch.flush();
  }
  const counted = waiting.reduce((bytes, { length }) => bytes + length, 0);
  expect(blockBytes(waiting)).toBeLessThanOrEqual(counted + POOL);
});

it('log lines that nobody reads hold no more memory than they count', () => {
  let isRead = false;
  const written: Buffer[] = [];
  const writeSync = (_fd: number, data: Buffer) => {
    if (!isRead) throw Object.assign(new Error('full'), { code: 'EAGAIN' });
    written.push(data);
    return data.length;
  };
  const output = new NonBlockingOutput(2, { bufferBytes: 1_000_000, onLoss: () => {}, writeSync });
  for (let n = 0; n < 500; n++) {
    workOfOthers();
    output.write(`line ${n}\n`, 'kind');
  }
  isRead = true;
  output.flush(1_000);
  expect(written.join('')).toBe(Array.from({ length: 500 }, (_, n) => `line ${n}\n`).join(''));
  expect(blockBytes(written)).toBe(written.join('').length);
});
