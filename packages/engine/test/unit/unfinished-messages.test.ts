import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { EventCounters } from '../../src/logging/event-counters.js';
import { silentLogger } from '../../src/logging/logger.js';
import { UnfinishedMessages } from '../../src/transport/unfinished-messages.js';

class Sender {
  readonly remoteAddress = '192.0.2.1';
  readonly ends: string[] = [];
  #changed: (bytes: number) => void = () => {};

  watchUnfinished(changed: (bytes: number) => void): void {
    this.#changed = changed;
  }

  close(name: string): void {
    this.ends.push(name);
  }

  destroy(): void {
    this.ends.push('destroyed');
    this.reads(0);
  }

  /** The engine has read this many bytes of a message that is not whole. */
  reads(bytes: number): void {
    this.#changed(bytes);
  }
}

function pool(most: number, count: number) {
  const counters = new EventCounters();
  const messages = new UnfinishedMessages({ most, logger: silentLogger, counters });
  const senders = Array.from({ length: count }, () => {
    const sender = new Sender();
    messages.watch(sender);
    return sender;
  });
  return { messages, senders, counters };
}

it('counts the messages of all connections, and forgets those that are whole and those of ended connections', () => {
  const { messages, senders, counters } = pool(100, 3);
  const [a, b, c] = senders as [Sender, Sender, Sender];
  a.reads(40);
  b.reads(20);
  b.reads(60);
  expect(messages.total).toBe(100);
  a.reads(0);
  c.reads(40);
  expect([messages.total, senders.flatMap(({ ends }) => ends), counters.read()]).toEqual([100, [], {}]);
});

it('drops the connection whose message began first, and no other', async () => {
  const { messages, senders, counters } = pool(100, 3);
  const [a, b, c] = senders as [Sender, Sender, Sender];
  a.reads(10);
  b.reads(50);
  // The message of `a` is whole, and its next one begins after that of `b`.
  a.reads(0);
  a.reads(30);
  c.reads(60);
  expect([messages.total, b.ends]).toEqual([90, ['tryLater']]);
  // The parser of a dropped connection may report bytes until its socket has ended.
  b.reads(70);
  expect(messages.total).toBe(90);
  await setImmediate();
  expect([messages.total, a.ends, b.ends, c.ends]).toEqual([90, [], ['tryLater', 'destroyed'], []]);
  expect(counters.read()).toEqual({ unfinished_messages_full: 1 });
});

it('drops even the connection that reports, if its message alone is above the bound', () => {
  const { messages, senders } = pool(100, 1);
  senders[0]?.reads(101);
  expect([messages.total, senders[0]?.ends]).toEqual([0, ['tryLater']]);
});
