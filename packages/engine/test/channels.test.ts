import { LIMITS, RivuletError } from '@rivulet/protocol';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Channel, ChannelMessage, ChannelReader, ChannelWriter } from '../src/core/channel.js';
import { readChannelTarget } from '../src/core/channel-target.js';
import { Channels } from '../src/core/channels.js';

let now = 0;
let channels: Channels;

beforeEach(() => {
  now = 1_000;
  channels = new Channels({ now: () => now, monotonic: () => now });
});

afterEach(() => channels.close());

class Reader implements ChannelReader {
  readonly got: string[] = [];
  room = Infinity;
  ended: string | undefined;

  get ready(): boolean {
    return this.room > 0;
  }

  deliver({ data }: ChannelMessage): void {
    this.room--;
    this.got.push(data.toString());
  }

  finish(end: string): void {
    this.ended = end;
  }
}

class Writer implements ChannelWriter {
  paused = false;
  knocks = 0;
  ended: string | undefined;

  knock(): void {
    this.knocks++;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  finish(end: string): void {
    this.ended = end;
  }
}

function write(channel: Channel, text: string): void {
  channel.write({ data: Buffer.from(text), binary: false });
}

function pass(milliseconds: number): void {
  now += milliseconds;
  channels.sweep();
}

it('RB-12 a channel that nobody is connected to is removed after 5 minutes', () => {
  const [unused, waiting, written] = [channels.create(), channels.create(), channels.create()];
  waiting.attachReader(new Reader());
  written.attachWriter(new Writer());
  pass(LIMITS.channelIdleMs - 1);
  write(written, 'kept');
  written.writerClosed(false);
  expect(channels.size).toBe(3);
  pass(1);
  expect(channels.find(unused.id, 'read', unused.keys.read)).toBeUndefined();
  expect(channels.size).toBe(2);
  pass(LIMITS.channelIdleMs - 2);
  expect(channels.size).toBe(2);
  pass(1);
  expect(channels.size).toBe(1);
  expect(channels.held).toBe(0);
  pass(10 * LIMITS.channelIdleMs);
  expect(channels.find(waiting.id, 'read', waiting.keys.read)).toBe(waiting);
});

it('a writer is stopped when the channel is full, and goes on when it is half empty', () => {
  const channel = channels.create(4);
  const writer = new Writer();
  const reader = new Reader();
  channel.attachWriter(writer);
  for (const text of ['a', 'b', 'c']) write(channel, text);
  expect(writer.paused).toBe(false);
  write(channel, 'd');
  expect(writer.paused).toBe(true);
  // What its socket had read already.
  write(channel, 'e');
  reader.room = 2;
  channel.attachReader(reader);
  expect(writer.paused).toBe(true);
  reader.room = 1;
  channel.pump();
  expect(writer.paused).toBe(false);
  reader.room = 2;
  channel.writerClosed(false);
  expect(reader.ended).toBeUndefined();
  channel.pump();
  expect(reader.got).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(reader.ended).toBe('done');
  expect(channels.size).toBe(0);
});

it('a writer that waits for a reader that never came is asked for a sign of life after 5 minutes, and at every sweep from then on', () => {
  const [channel, read] = [channels.create(1), channels.create(1)];
  const [writer, held] = [new Writer(), new Writer()];
  const reader = new Reader();
  reader.room = 0;
  channel.attachWriter(writer);
  read.attachWriter(held);
  read.attachReader(reader);
  pass(LIMITS.channelIdleMs);
  expect(writer.knocks).toBe(0);
  write(channel, 'a');
  write(read, 'a');
  pass(LIMITS.channelIdleMs - 1);
  expect(writer.knocks).toBe(0);
  pass(1);
  pass(1);
  expect([writer.knocks, held.knocks, channels.size]).toEqual([2, 0, 2]);
  channel.attachReader(new Reader());
  write(channel, 'b');
  pass(LIMITS.channelIdleMs);
  expect(writer.knocks).toBe(2);
});

it('a channel holds a bound of bytes, whatever it may hold in messages', () => {
  const channel = channels.create(1_024);
  const writer = new Writer();
  channel.attachWriter(writer);
  const data = Buffer.alloc(1_000_000);
  let written = 0;
  while (!writer.paused) {
    channel.write({ data, binary: true });
    written += data.length;
  }
  expect(written).toBeGreaterThanOrEqual(LIMITS.channelBytes);
  expect(written).toBeLessThan(LIMITS.channelBytes + data.length);
});

it('when all channels together hold too much, each writer waits for its own reader, and none for ever', () => {
  const data = Buffer.alloc(1_000_000);
  const fill = (): { channel: Channel; writer: Writer } => {
    const channel = channels.create(1_024);
    const writer = new Writer();
    channel.attachWriter(writer);
    while (!writer.paused) channel.write({ data, binary: true });
    return { channel, writer };
  };
  while (channels.held < LIMITS.channelsBytes) fill();
  const { channel, writer } = fill();
  expect(channel.size).toBe(1);
  const reader = new Reader();
  channel.attachReader(reader);
  expect(writer.paused).toBe(false);
  channel.write({ data, binary: true });
  expect(reader.got).toHaveLength(2);
});

it('one worker, and all together, have a bound of channels; what is over counts no more', () => {
  const refused = (owner: string) => {
    try {
      channels.create(1, owner);
    } catch (error) {
      return error instanceof RivuletError ? error.code : error;
    }
    return undefined;
  };
  const made = Array.from({ length: LIMITS.channelsPerWorker }, () => channels.create(1, 'greedy'));
  expect(refused('greedy')).toBe('OVERLOADED');
  expect(refused('other')).toBeUndefined();
  made[0]?.end('readerGone');
  expect(refused('greedy')).toBeUndefined();
  channels.ownerGone('greedy');
  channels.ownerGone('other');
  expect(channels.size).toBe(0);
  for (let n = 0; n < LIMITS.channels; n++) channels.create(1, `worker ${n % 100}`);
  expect(refused('one more')).toBe('OVERLOADED');
  // The engine's own are bounded by what it makes them for.
  expect(channels.create()).toBeDefined();
});

it('what a channel keeps of a short message is not the block that it was read into', () => {
  const channel = channels.create();
  channel.attachWriter(new Writer());
  const block = Buffer.alloc(65_536, 'x');
  channel.write({ data: block.subarray(0, 3), binary: false });
  block.fill('y');
  const reader = new Reader();
  channel.attachReader(reader);
  expect(reader.got).toEqual(['xxx']);
});

it.each([
  ['/ws/channels/i', 'key=k&dir=read', { kind: 'channel', id: 'i', key: 'k', direction: 'read' }],
  ['/', 'api_key=a/ws/channels/i?key=k&dir=write', { kind: 'channel', id: 'i', key: 'k', direction: 'write' }],
  ['', 'a=/ws/channels/x?key=no&b=/ws/channels/i?key=k&dir=write', { kind: 'channel', id: 'i', key: 'k', direction: 'write' }],
  ['/', 'a=/ws/channels/i', { kind: 'invalid' }],
  ['/ws/channels/i', `key=${'k'.repeat(257)}&dir=read`, { kind: 'invalid' }],
  ['/', 'api_key=a', { kind: 'other' }],
  ['/otel', 'api_key=a/ws/channels/i?key=k&dir=write', { kind: 'other' }],
  ['/ws/channels', 'key=k&dir=read', { kind: 'other' }],
])('%s?%s is read as what it asks for', (path, rawQuery, wanted) => {
  expect(readChannelTarget({ path, rawQuery })).toEqual(wanted);
});
