import { describe, expect, it } from 'vitest';
import type { SocketEvents } from '../../src/connection/socket.js';
import { connect } from '../../src/index.js';
import { connectTo, errorOf, FakeEngine } from '../fake-engine.js';
import { create, failure, sync } from '../frames.js';
import { TestClock } from '../test-clock.js';

function start(random = 0.999) {
  const clock = new TestClock();
  const opened: { readonly at: number; readonly events: SocketEvents; readonly sent: string[] }[] = [];
  let wake = () => {};
  const client = connect('wss://example.com', {
    silenceMs: 0,
    runtime: {
      clock,
      random: () => random,
      wakeSource: (listener) => {
        wake = listener;
        return () => {};
      },
      openSocket: (_url, events) => {
        const sent: string[] = [];
        opened.push({ at: clock.now(), events, sent });
        return { send: (text) => sent.push(text), bufferedAmount: 0, close: () => {}, terminate: () => {} };
      },
    },
  });
  return { clock, opened, client, wake: () => wake() };
}

describe('attempts to connect', () => {
  it('come within a second, then each anywhere below twice the bound before, up to 20 s', () => {
    const { clock, opened } = start();
    const waits: number[] = [];
    for (let round = 0; round < 8; round++) {
      const lost = clock.now();
      opened.at(-1)?.events.onClose({ code: 1006, reason: '' });
      const count = opened.length;
      while (opened.length === count) clock.pass(1);
      waits.push(clock.now() - lost);
    }
    expect(waits).toEqual([999, 999, 1_998, 3_996, 7_992, 15_984, 19_980, 19_980]);
  });

  it('come at once, spread a little, when the page wakes up', () => {
    const { clock, opened, wake } = start();
    for (let round = 0; round < 6; round++) {
      opened.at(-1)?.events.onClose({ code: 1006, reason: '' });
      if (round < 5) clock.pass(20_000);
    }
    const before = clock.now();
    wake();
    clock.pass(250);
    expect((opened.at(-1)?.at ?? 0) - before).toBe(249.75);
  });

  it('join everything again as soon as they are there', () => {
    const { clock, opened, client } = start(0);
    client.subscribeGroup('chat', 'r1');
    client.subscribeItem('chat', 'r2', 'm1');
    for (let round = 0; round < 3; round++) {
      opened.at(-1)?.events.onOpen();
      expect(opened.at(-1)?.sent).toHaveLength(2);
      opened.at(-1)?.events.onClose({ code: 1006, reason: '' });
      clock.pass(0);
    }
  });
});

describe('a join without an answer', () => {
  it('is made again after a minute', () => {
    const { clock, opened, client } = start(0);
    client.subscribeGroup('chat', 'r1');
    opened[0]?.events.onOpen();
    clock.pass(59_999);
    expect(opened[0]?.sent).toHaveLength(1);
    clock.pass(1);
    expect(opened[0]?.sent).toHaveLength(2);
  });

  it('RV-13 is made again later and later while it is refused', () => {
    const { clock, opened, client } = start();
    client.subscribeGroup('chat', 'r1');
    opened[0]?.events.onOpen();
    const waits: number[] = [];
    for (let round = 0; round < 7; round++) {
      const before = clock.now();
      const count = opened[0]?.sent.length ?? 0;
      opened[0]?.events.onText(JSON.stringify(failure('FORBIDDEN', 's1')));
      while (opened[0]?.sent.length === count) clock.pass(1);
      waits.push(clock.now() - before);
    }
    expect(waits).toEqual([1_998, 3_996, 7_992, 15_984, 31_968, 59_940, 59_940]);
  });
});

describe('what a server may pile up', () => {
  it('RV-33 is bounded: a batch has 1,024 writes', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    client.subscribeGroup('chat', 'r1');
    const peer = await engine.peer();
    await peer.next('join');
    const hole = errorOf(client, 'HOLE');
    peer.send(sync(0, []), ...Array.from({ length: 1_030 }, (_, at) => create(at + 1, `m${at}`, 'x', { through: 9_000 })));
    expect((await hole).message).toBe('a batch does not end');
    expect((await peer.next('join')).since).toBe('e1:0');
  });
});
