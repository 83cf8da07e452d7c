import { LIMITS, RivuletError } from '@rivulet/protocol';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Channel, ChannelMessage, ChannelReader, ChannelWriter } from '../../src/core/channels/channel.js';
import { readChannelTarget } from '../../src/core/channels/channel-url.js';
import { Channels } from '../../src/core/channels/channels.js';
import { ReaderSocket } from '../../src/core/channels/socket-endpoints.js';
import type { Caller, CallerAccess } from '../../src/core/fabric/invocation.js';
import type { Connection } from '../../src/transport/connection.js';

type Owner = Pick<Caller, 'workerId' | 'access'>;
const SESSION: CallerAccess = { mayCall: () => false, grant: { context: {} } };

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

  probePeer(): void {
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
  // The socket had read this message before the pause.
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

function kindOf(owner: Owner | undefined): string {
  if (owner === undefined) return 'engine';
  return owner.access === undefined ? 'worker' : 'session';
}

/** Creates channels without readers and fills them up to `most` bytes. */
function fillUp(most: number, ownerOf: (n: number) => Owner | undefined = () => undefined): Channel[] {
  const data = Buffer.alloc(1_000_000);
  const filled: Channel[] = [];
  for (let held = 0; held < most; ) {
    const channel = channels.create(1_024, ownerOf(filled.length));
    const writer = new Writer();
    channel.attachWriter(writer);
    filled.push(channel);
    while (!writer.paused) {
      channel.write({ data, binary: true });
      held += data.length + 256;
    }
  }
  return filled;
}

it.each([
  ['HTTP requests', LIMITS.channelsBytes, undefined],
  ['trusted workers', LIMITS.channelsBytes, { workerId: 'w' }],
  ['sessions', LIMITS.sessionChannelsBytes, { workerId: 's', access: SESSION }],
] as const)('when all channels of %s together hold what they may, none takes more that would be held', (_whose, most, owner) => {
  const idle = channels.create(64, owner);
  const idleWriter = new Writer();
  idle.attachWriter(idleWriter);
  // The bound of one guest is lower than that.
  fillUp(most, (n) => (owner === undefined || kindOf(owner) === 'worker' ? owner : { ...owner, workerId: `s ${n}` }));
  expect(channels.held).toBeLessThan(most + 1_100_000);
  expect(idleWriter.paused).toBe(true);
  const late = channels.create(64, owner);
  const writer = new Writer();
  late.attachWriter(writer);
  expect(writer.paused).toBe(true);
  // The other pools have a bound of their own.
  for (const other of [undefined, { workerId: 'w2' }, { workerId: 's2', access: SESSION }]) {
    if (kindOf(other) === kindOf(owner)) continue;
    const free = new Writer();
    channels.create(64, other).attachWriter(free);
    expect(free.paused).toBe(false);
  }
});

it('when the channels of one session hold what one may, only its own writers wait, and go on when a quarter is free', async () => {
  const greedy: Owner = { workerId: 'greedy', access: SESSION };
  const [first, second] = [channels.create(1_024, greedy), channels.create(1_024, greedy)];
  const [writer, idle, other] = [new Writer(), new Writer(), new Writer()];
  first.attachWriter(writer);
  second.attachWriter(idle);
  channels.create(64, { workerId: 'other', access: SESSION }).attachWriter(other);
  const data = Buffer.alloc(65_536 - 256);
  let written = 0;
  for (; !writer.paused; written += 65_536) first.write({ data, binary: true });
  expect(written).toBe(LIMITS.guestChannelBytes);
  expect([idle.paused, other.paused]).toEqual([true, false]);
  // A reader that takes each message at once lets its own writer go on.
  const reader = new Reader();
  second.attachReader(reader);
  expect(idle.paused).toBe(false);
  write(second, 'a');
  reader.room = 0;
  write(second, 'b');
  expect([reader.got, idle.paused]).toEqual([['a'], true]);
  const slow = new Reader();
  slow.room = LIMITS.guestChannelBytes / 65_536 / 4;
  first.attachReader(slow);
  await Promise.resolve();
  expect(idle.paused).toBe(true);
  slow.room = 1;
  first.pump();
  await Promise.resolve();
  expect(idle.paused).toBe(false);
  first.end('readerGone');
  second.end('readerGone');
  expect(channels.held).toBe(0);
});

it('when they do, a channel goes on whose reader takes each message at once, and the others when a quarter is free', async () => {
  const held = fillUp(LIMITS.channelsBytes);
  const read = channels.create();
  const writer = new Writer();
  const reader = new Reader();
  read.attachWriter(writer);
  expect(writer.paused).toBe(true);
  read.attachReader(reader);
  expect(writer.paused).toBe(false);
  reader.room = 1;
  write(read, 'a');
  expect([reader.got, writer.paused]).toEqual([['a'], true]);
  reader.room = 1;
  read.pump();
  expect(writer.paused).toBe(false);
  const waiting = new Writer();
  channels.create().attachWriter(waiting);
  while (waiting.paused && held.length > 0) {
    held.pop()?.end('readerGone');
    await Promise.resolve();
  }
  expect(channels.held).toBeLessThanOrEqual((LIMITS.channelsBytes / 4) * 3);
  expect(channels.held).toBeGreaterThan((LIMITS.channelsBytes / 4) * 3 - 10_000_000);
});

/** A connection whose peer reads nothing until `take`. */
class SlowConnection implements Connection {
  readonly remoteAddress = '127.0.0.1';
  readonly peerAddress = '127.0.0.1';
  open = true;
  buffered = 0;
  #sent = () => {};

  writeFrame(head: Buffer, payload: Buffer, sent: () => void): void {
    this.buffered += head.length + payload.length;
    this.#sent = sent;
  }

  take(): void {
    this.buffered = 0;
    this.#sent();
  }

  close(): void {
    this.open = false;
  }

  write() {}
  pause() {}
  resume() {}
  watchUnfinished() {}
  probePeer() {}
  destroy() {}
}

it('the sockets of the readers of one session have a bound of what they have not sent, which others and those that read do not feel', async () => {
  const attach = (owner: Owner, connection = new SlowConnection()) => {
    const channel = channels.create(64, owner);
    channel.attachWriter(new Writer());
    const socket = new ReaderSocket(channel, connection, () => {});
    socket.attach();
    return { channel, connection, socket };
  };
  const greedy: Owner = { workerId: 'greedy', access: SESSION };
  const data = Buffer.alloc(100_000);
  const ends = Array.from({ length: 100 }, () => attach(greedy));
  for (let round = 0; round < 3; round++) for (const { channel } of ends) channel.write({ data, binary: true });
  const unsent = () => ends.reduce((sum, { connection }) => sum + connection.buffered, 0);
  expect(unsent()).toBeGreaterThan(LIMITS.guestChannelUnsentBytes / 2);
  expect(unsent()).toBeLessThan(LIMITS.guestChannelUnsentBytes + data.length + 10);
  const other = attach({ workerId: 'other', access: SESSION });
  other.channel.write({ data, binary: true });
  expect(other.connection.buffered).toBeGreaterThan(data.length);
  // The channel has ended, and its socket still holds unsent bytes. They count, so new channels get no capacity.
  for (const { channel } of ends) channel.writerClosed(false);
  for (const { channel, connection } of ends) if (connection.buffered > 0) channel.end('readerGone');
  const late = attach(greedy);
  late.channel.write({ data, binary: true });
  expect(late.connection.buffered).toBe(0);
  // The capacity goes to the waiting readers until each has everything.
  let got = 0;
  for (let left = ends.length + 1; left > 0; left--) {
    const end = [...ends, late].find(({ connection }) => connection.buffered > 0);
    if (end === undefined) break;
    got++;
    end.connection.take();
    end.socket.onDrain();
    if (end.channel.over && end.connection.buffered === 0) end.socket.onDisconnect();
    await Promise.resolve();
    expect(unsent()).toBeLessThan(LIMITS.guestChannelUnsentBytes + data.length + 10);
  }
  expect(got).toBeGreaterThan(100);
});

it('many short messages count for what they take', () => {
  const channel = channels.create(1_024);
  channel.attachWriter(new Writer());
  for (let n = 0; n < 1_000; n++) channel.write({ data: Buffer.alloc(0), binary: true });
  expect(channels.held).toBe(256_000);
  channel.attachReader(new Reader());
  expect(channels.held).toBe(0);
});

it.each([
  ['trusted worker', LIMITS.channelsPerWorker, LIMITS.channels, undefined],
  ['session', LIMITS.channelsPerSession, LIMITS.sessionChannels, SESSION],
] as const)('one %s, and all together, have a bound of channels; what is over counts no more', (_whose, ofOne, ofAll, access) => {
  const refused = (owner: Owner) => {
    try {
      channels.create(1, owner);
    } catch (error) {
      return error instanceof RivuletError ? error.code : error;
    }
    return undefined;
  };
  const greedy = { workerId: 'greedy', access };
  const made = Array.from({ length: ofOne }, () => channels.create(1, greedy));
  expect(refused(greedy)).toBe('OVERLOADED');
  expect(refused({ workerId: 'other', access })).toBeUndefined();
  made[0]?.end('readerGone');
  expect(refused(greedy)).toBeUndefined();
  channels.ownerDisconnected('greedy');
  channels.ownerDisconnected('other');
  expect(channels.size).toBe(0);
  for (let n = 0; n < ofAll; n++) channels.create(1, { workerId: `worker ${n % 100}`, access });
  expect(refused({ workerId: 'one more', access })).toBe('OVERLOADED');
  // Other owners have a bound of their own. The code that creates channels of the engine bounds their number.
  expect(refused({ workerId: 'one more', access: access === undefined ? SESSION : undefined })).toBeUndefined();
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
