import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { probeKeepAlive } from '../../src/connection/probe-keep-alive.js';
import { connectTo, FakeEngine } from '../fake-engine.js';
import { failure, sync } from '../frames.js';
import { TestClock } from '../test-clock.js';
import type { Chat } from '../watch.js';

function start(answers: boolean) {
  const clock = new TestClock();
  const probes: number[] = [];
  const drops: number[] = [];
  let wake = () => {};
  const run = probeKeepAlive(
    25_000,
    () => {
      probes.push(clock.now());
      return answers;
    },
    (listener) => {
      wake = listener;
      return () => {};
    },
  )({ clock, ping: () => {}, drop: () => drops.push(clock.now()) });
  return { clock, probes, drops, run, wake: () => wake() };
}

describe('a socket that can not ping', () => {
  it('is probed after silence, and dropped within 35 s of the last one', () => {
    const { clock, probes, drops, run } = start(true);
    clock.pass(20_000);
    run.heard();
    clock.pass(24_999);
    expect(probes).toEqual([]);
    clock.pass(1);
    expect(probes).toEqual([45_000]);
    clock.pass(10_000);
    expect(drops).toEqual([55_000]);
  });

  it('stays while it answers', () => {
    const { clock, probes, drops, run } = start(true);
    for (let round = 0; round < 5; round++) {
      clock.pass(26_000);
      run.heard();
    }
    expect([probes.length, drops]).toEqual([5, []]);
    run.stop();
    expect(clock.pending).toBe(0);
  });

  it('is probed at once when the page wakes up', () => {
    const { clock, probes, drops, wake } = start(true);
    clock.pass(3_000);
    wake();
    clock.pass(10_000);
    expect([probes, drops]).toEqual([[3_000], [13_000]]);
  });

  it('is not dropped for a silence that means nothing: the server has no answer', () => {
    const { clock, drops } = start(false);
    clock.pass(200_000);
    expect(drops).toEqual([]);
  });
});

describe('half-open connections', () => {
  it('are noticed with pings in Node, and come back', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine, { silenceMs: 40 });
    const view = client.subscribeGroup<Chat>('chat', 'r1');
    const peer = await engine.peer();
    await peer.next('join');
    peer.send(sync(4, []));
    await view.whenLive();
    // The socket reads nothing any more, so it answers no ping.
    peer.socket.pause();
    expect((await (await engine.peer()).next('join')).since).toBe('e1:4');
  });

  it('RV-13 are noticed without pings by a question that an engine refuses at once', async () => {
    const engine = await FakeEngine.start();
    /** A socket class that can't ping, as in a browser. */
    class PlainSocket {
      readonly #socket: WebSocket;
      constructor(url: string, protocols?: string[]) {
        this.#socket = new WebSocket(url, protocols);
      }
      get bufferedAmount() {
        return this.#socket.bufferedAmount;
      }
      set onopen(listener: (() => void) | null) {
        this.#socket.onopen = listener;
      }
      set onerror(listener: (() => void) | null) {
        this.#socket.onerror = listener;
      }
      set onmessage(listener: ((event: { data: unknown }) => void) | null) {
        this.#socket.onmessage = listener;
      }
      set onclose(listener: ((event: { code: number; reason: string }) => void) | null) {
        this.#socket.onclose = listener;
      }
      send(text: string) {
        this.#socket.send(text);
      }
      close() {
        this.#socket.close();
      }
    }
    const clock = new TestClock();
    const client = await connectTo(engine, { WebSocket: PlainSocket, runtime: { clock, random: () => 0 } });
    const view = client.subscribeGroup<Chat>('chat', 'r1');
    const peer = await engine.peer();
    await peer.next('join');
    peer.send(sync(4, []));
    await view.whenLive();
    clock.pass(25_000);
    const question = await peer.next('join');
    expect(question).toMatchObject({ subscriptionId: 'probe', streamName: '\u0000' });
    const errors: string[] = [];
    client.onError(({ code }) => errors.push(code));
    peer.send(failure('INVALID_ID', 'probe'), sync(9, [], { reason: 'floor' }));
    await new Promise<void>((resolve) => {
      view.on({ onReset: () => resolve() });
    });
    clock.pass(26_000);
    await peer.next('join');
    clock.pass(11_000);
    clock.pass(1_000);
    expect((await (await engine.peer()).next('join')).since).toBe('e1:9');
    expect(errors).toEqual([]);
  });
});
