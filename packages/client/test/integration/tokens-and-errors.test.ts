import { afterEach, describe, expect, it, vi } from 'vitest';
import { SYSTEM_CLOCK } from '../../src/connection/clock.js';
import { Listeners } from '../../src/subscription/listeners.js';
import { connectTo, errorOf, FakeEngine } from '../fake-engine.js';
import { create, failure, resumed, sync, unauthorized, update } from '../frames.js';
import { type Chat, texts, whenView } from '../watch.js';

afterEach(() => void vi.unstubAllGlobals());

describe('tokens', () => {
  it('travel as sub-protocol when they can, else in the query', async () => {
    const engine = await FakeEngine.start();
    await connectTo(engine, { token: 'abc.def-1~' });
    const first = await engine.peer();
    expect([first.protocols.replace(' ', ''), first.url]).toEqual(['Authorization,abc.def-1~', '/']);
    await connectTo(engine, { token: 'a b=/' });
    expect((await engine.peer()).url).toBe('/?token=a+b%3D%2F');
    await connectTo(engine, { token: 'abc', tokenAs: 'query' });
    expect((await engine.peer()).url).toBe('/?token=abc');
  });

  it('are requested before each connection, and after a refusal with that reason', async () => {
    const engine = await FakeEngine.start();
    const reasons: string[] = [];
    const client = await connectTo(engine, { getToken: (reason) => Promise.resolve(`${reasons.push(reason)}`) });
    const unauthorizedError = errorOf(client, 'UNAUTHORIZED');
    const first = await engine.peer();
    expect(first.protocols).toMatch(/1$/);
    first.socket.close(1008, 'unauthorized');
    await unauthorizedError;
    const second = await engine.peer();
    expect(second.protocols).toMatch(/2$/);
    second.drop();
    await engine.peer();
    expect(reasons).toEqual(['connect', 'refused', 'connect']);
  });

  it('that getToken can not return are requested again', async () => {
    const engine = await FakeEngine.start();
    let times = 0;
    const getToken = () => (++times < 3 ? Promise.reject(new Error('no network')) : 'good');
    const client = await connectTo(engine, { getToken });
    await errorOf(client, 'TOKEN_FAILED');
    expect((await engine.peer()).protocols).toMatch(/good$/);
  });

  it('RV-14 RV-15 are refreshed in-band, and nothing is interrupted', async () => {
    const engine = await FakeEngine.start();
    const reasons: string[] = [];
    const client = await connectTo(engine, { getToken: (reason) => `${reasons.push(reason)}` });
    const view = client.subscribeGroup<Chat>('chat', 'r1');
    const peer = await engine.peer();
    await peer.next('join');
    peer.send(sync(1, []), { type: 'expiring', data: { expiresAtMs: Date.now() + 30_000 } });
    expect(await peer.next('refresh')).toEqual({ token: '2' });
    peer.send({ type: 'refreshed', data: { expiresAtMs: null } }, create(2, 'm1', 'one'));
    await whenView(view, ({ size }) => size === 1);
    expect([reasons, client.counters.connections]).toEqual([['connect', 'expiring'], 1]);
  });
});

describe('a refused join', () => {
  it('RV-13 is joined again, and its items stay', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const view = client.subscribeGroup<Chat>('chat', 'r1');
    const first = await engine.peer();
    await first.next('join');
    first.send(sync(1, [['m1', 'one', 1]]));
    await view.whenLive();
    first.drop();
    const peer = await engine.peer();
    const join = await peer.next('join');
    const refused = errorOf(client, 'FORBIDDEN');
    peer.send(failure('FORBIDDEN', join.subscriptionId), unauthorized());
    await refused;
    expect([view.status, view.error?.code, texts(view)]).toEqual(['stale', 'FORBIDDEN', ['m1:one']]);
    const again = await peer.next('join');
    expect(again.since).toBe('e1:1');
    peer.send(resumed(join.subscriptionId, 'tail', 1, 2), update(2, 'm1', 'ONE'));
    await whenView(view, ({ status }) => status === 'live');
    expect([view.error, texts(view)]).toEqual([undefined, ['m1:ONE']]);
  });

  it('RV-14 is joined again at once when the token was refreshed', async () => {
    const engine = await FakeEngine.start();
    // No timer fires, so only the refreshed token can make the client join again.
    const clock = { ...SYSTEM_CLOCK, setTimer: () => undefined };
    const client = await connectTo(engine, { getToken: () => 'token', runtime: { clock } });
    client.subscribeGroup<Chat>('chat', 'r1');
    const peer = await engine.peer();
    const join = await peer.next('join');
    const refused = errorOf(client, 'FORBIDDEN');
    peer.send(failure('FORBIDDEN', join.subscriptionId));
    await refused;
    await client.refreshToken();
    await peer.next('refresh');
    peer.send({ type: 'refreshed', data: { expiresAtMs: null } });
    await peer.next('join');
  });

  it('RV-13 of a name that can not be is not: the view is closed', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const view = client.subscribeGroup<Chat>('chat', '\u0001');
    const peer = await engine.peer();
    const join = await peer.next('join');
    const waiting = view.whenLive();
    peer.send(failure('INVALID_ID', join.subscriptionId));
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
    expect([view.status, view.error?.code]).toEqual(['closed', 'INVALID_ID']);
  });

  it('RV-13 errors of the connection are reported', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const error = errorOf(client, 'SOMETHING_NEW');
    (await engine.peer()).send(failure('SOMETHING_NEW'));
    expect((await error).message).toBe('SOMETHING_NEW');
  });
});

describe('a lease', () => {
  it('RV-42 is sent when the join is there, again after a reconnect, and the newest data counts', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const view = client.subscribeGroup<Chat>('room', 'r1');
    view.lease({ typing: false });
    const first = await engine.peer();
    const join = await first.next('join');
    first.send(sync(1, [], { streamName: 'room' }));
    expect(await first.next('lease')).toEqual({ subscriptionId: join.subscriptionId, data: { typing: false } });
    for (let at = 0; at <= 100; at++) view.lease({ at });
    expect(await first.next('lease')).toEqual({ subscriptionId: join.subscriptionId, data: { at: 100 } });
    first.drop();
    const again = await engine.peer();
    await again.next('join');
    again.send(resumed(join.subscriptionId, 'tail', 1, 1));
    expect((await again.next('lease')).data).toEqual({ at: 100 });
    expect(() => view.lease('x'.repeat(16_384))).toThrow(expect.objectContaining({ code: 'VALUE_TOO_LARGE' }));
    view.close();
    expect((await again.next('leave')).subscriptionId).toBe(join.subscriptionId);
  });
});

describe('listeners', () => {
  it('that fail stop no other listener; the runtime reports the error', () => {
    const thrown: unknown[] = [];
    vi.stubGlobal('queueMicrotask', (run: () => void) => {
      try {
        run();
      } catch (error) {
        thrown.push(error);
      }
    });
    const listeners = new Listeners<number>();
    const heard: number[] = [];
    listeners.add(() => {
      throw new Error('mine');
    });
    const end = listeners.add((value) => {
      heard.push(value);
      end();
    });
    listeners.emit(1);
    listeners.emit(2);
    expect([heard, thrown.length]).toEqual([[1], 2]);
  });
});
