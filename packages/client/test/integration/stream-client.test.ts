import { describe, expect, it } from 'vitest';
import { type ConnectOptions, connect, type ViewListeners } from '../../src/index.js';
import { connectTo, errorOf, FakeEngine } from '../fake-engine.js';
import { caughtUp, create, event, itemSync, remove, resumed, sync, update } from '../frames.js';
import { type Chat, texts, ViewLog, whenView } from '../watch.js';

describe('a view of a group', () => {
  it('RV-1 RV-2 RV-4 shows the items in the order of creation, then every change, once', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const log = new ViewLog();
    const view = client.subscribeGroup<Chat>('chat', 'r1', log.listeners);
    expect([view.status, view.items, view.position]).toEqual(['connecting', [], undefined]);
    const peer = await engine.peer();
    const join = await peer.next('join');
    expect(join).toEqual({ subscriptionId: join.subscriptionId, streamName: 'chat', groupId: 'r1', positions: true });
    peer.send(
      sync(7, [
        ['m2', 'two', 3],
        ['m1', 'one', 5],
      ]),
    );
    await view.whenLive();
    expect(texts(view)).toEqual(['m2:two', 'm1:one']);
    expect(view.position).toEqual({ epoch: 'e1', offset: 7 });
    expect(view.items).toBe(view.items);
    const before = view.items;
    peer.send(update(8, 'm2', 'TWO'), create(9, 'm3', 'three'), event(10, 'typing', { user: 'ann' }), remove(11, 'm1'));
    await log.until(5);
    expect(log.lines).toEqual([
      'reset first 7',
      '8 update m2 two>TWO',
      '9 create m3 three',
      'event typing {"user":"ann"}',
      '11 delete m1 one',
    ]);
    expect(texts(view)).toEqual(['m2:TWO', 'm3:three']);
    expect(view.items).not.toBe(before);
    expect(before.map(({ id }) => id)).toEqual(['m2', 'm1']);
    expect(view.get('m3')).toEqual({ id: 'm3', data: { id: 'm3', text: 'three' }, created: 9, offset: 9 });
    expect(view.get('m1')).toBeUndefined();
    expect([view.size, view.position?.offset]).toEqual([2, 11]);
  });

  it('is one join for all views of a target, which ends with the last of them', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const log = new ViewLog();
    const first = client.subscribeGroup<Chat>('chat', 'r1', log.listeners);
    const second = client.subscribeGroup<Chat>('chat', 'r1');
    const item = client.subscribeItem<Chat>('chat', 'r1', 'm1');
    const peer = await engine.peer();
    const join = await peer.next('join');
    expect((await peer.next('join')).id).toBe('m1');
    peer.send(sync(1, [['m1', 'one', 1]]), itemSync(1, 'm1', 'one', 1));
    await Promise.all([first.whenLive(), second.whenLive(), item.whenLive()]);
    first.close();
    expect([first.status, second.status]).toEqual(['closed', 'live']);
    peer.send(update(2, 'm1', 'ONE'));
    await whenView(item, ({ item: now }) => now?.data.text === 'ONE');
    expect(texts(second)).toEqual(['m1:ONE']);
    expect(log.lines).toEqual(['reset first 1']);
    second.close();
    expect(await peer.next('leave')).toEqual({ subscriptionId: join.subscriptionId, streamName: 'chat', groupId: 'r1' });
    peer.send(update(3, 'm1', 'more'));
    await whenView(item, ({ item: now }) => now?.data.text === 'more');
    expect(item.status).toBe('live');
  });

  it('does not leave when the last view is closed and another opened in one turn', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const first = client.subscribeGroup<Chat>('chat', 'r1');
    const peer = await engine.peer();
    await peer.next('join');
    peer.send(sync(1, [['m1', 'one', 1]]));
    await first.whenLive();
    first.close();
    const second = client.subscribeGroup<Chat>('chat', 'r1');
    expect(second.status).toBe('live');
    const other = client.subscribeGroup<Chat>('chat', 'r2');
    expect((await peer.next('join')).groupId).toBe('r2');
    other.close();
    expect((await peer.next('leave')).groupId).toBe('r2');
    expect(texts(second)).toEqual(['m1:one']);
  });

  it('notifies of a burst once a turn, whatever is reported one by one', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const log = new ViewLog();
    const view = client.subscribeGroup<Chat>('chat', 'r1', log.listeners);
    const peer = await engine.peer();
    await peer.next('join');
    peer.send(sync(0, []));
    await view.whenLive();
    let notices = 0;
    view.subscribe(() => void notices++);
    peer.send(...Array.from({ length: 500 }, (_, at) => create(at + 1, `m${at}`, 'x')));
    await log.until(501);
    await whenView(view, ({ size }) => size === 500);
    expect(notices).toBeLessThan(100);
  });
});

describe('a view of an item', () => {
  it('RV-2 shows the item, its changes, and that it was deleted', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const log = new ViewLog();
    const view = client.subscribeItem<Chat>('chat', 'r1', 'm1', log.listeners);
    const peer = await engine.peer();
    expect((await peer.next('join')).id).toBe('m1');
    peer.send(itemSync(4, 'm1', undefined));
    await view.whenLive();
    expect(view.item).toBeUndefined();
    peer.send(create(6, 'm1', 'one'), create(7, 'm2', 'not mine'), update(9, 'm1', 'two', { through: 12 }));
    await log.until(3);
    expect(view.item).toEqual({ id: 'm1', data: { id: 'm1', text: 'two' }, created: 6, offset: 9 });
    expect(view.item).toBe(view.item);
    peer.send(update(9, 'm1', 'again'), remove(13, 'm1'));
    await log.until(4);
    expect(log.lines).toEqual(['reset first 4', '6 create m1 one', '9 update m1 one>two', '13 delete m1 two']);
    expect([view.item, client.counters.duplicates]).toEqual([undefined, 1]);
  });

  it('RV-10 is caught up with by a server that is further in the group', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const view = client.subscribeItem<Chat>('chat', 'r1', 'm1');
    const peer = await engine.peer();
    const { subscriptionId } = await peer.next('join');
    peer.send(itemSync(4, 'm1', 'one', 2), resumed(subscriptionId, 'changes', 60, 90), update(88, 'm1', 'two', { created: 2 }));
    peer.send(caughtUp(subscriptionId, 90));
    await whenView(view, ({ item }) => item?.data.text === 'two');
    expect([view.position?.offset, client.counters.holes]).toEqual([90, 0]);
  });

  it('comes back from where it is', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const view = client.subscribeItem<Chat>('chat', 'r1', 'm1');
    const peer = await engine.peer();
    await peer.next('join');
    peer.send(itemSync(4, 'm1', 'one', 2));
    await view.whenLive();
    peer.drop();
    const again = await engine.peer();
    const join = await again.next('join');
    expect([join.since, view.status, view.item?.data.text]).toEqual(['e1:4', 'stale', 'one']);
    again.send(resumed(join.subscriptionId, 'tail', 4, 90), update(88, 'm1', 'two'));
    await whenView(view, ({ item }) => item?.data.text === 'two');
    expect([view.status, view.position?.offset, view.item?.created]).toEqual(['live', 88, 2]);
  });
});

describe('the end', () => {
  it('closes all views and says so to who waits', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const view = client.subscribeGroup<Chat>('chat', 'r1');
    const waiting = view.whenLive();
    await engine.peer();
    await client.close();
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
    expect(view.status).toBe('closed');
    expect(() => client.subscribeGroup('chat', 'r1')).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });
});

describe('arguments', () => {
  it.each([
    ['/relative', {}, 'INVALID_URL'],
    ['ftp://localhost', {}, 'INVALID_URL'],
    ['ws://example.com', {}, 'INSECURE_URL'],
    ['http://10.0.0.1:3112', {}, 'INSECURE_URL'],
    ['wss://example.com', { token: 'a', getToken: () => 'b' }, 'INVALID_OPTIONS'],
  ] as const)('that can not work are refused: %s', (url, options, code) => {
    expect(() => connect(url, options)).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    [{ silenceMs: '25000' }, 'silenceMs'],
    [{ silenceMs: Number.POSITIVE_INFINITY }, 'silenceMs'],
    [{ persistItems: Number.NaN }, 'persistItems'],
    [{ maxFrameChars: -1 }, 'maxFrameChars'],
    [{ getToken: 'token' }, 'getToken'],
    [{ getToken: null }, 'getToken'],
    [{ token: 1 }, 'token'],
    [{ tokenAs: 'header' }, 'tokenAs'],
    [{ insecure: 'yes' }, 'insecure'],
    [{ WebSocket: {} }, 'WebSocket'],
    [{ persist: true }, 'persist'],
    [{ runtime: 1 }, 'runtime'],
  ])('an option of a wrong type is refused by its name: %j', (options, name) => {
    const wrong = options as unknown as ConnectOptions;
    expect(() => connect('wss://example.com', wrong)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(`option "${name}" must be `) }),
    );
  });

  it.each([
    [{ onChange: 'log' }, 'option "onChange" must be a function'],
    [{ onChnage: () => {} }, 'unknown option "onChnage"; did you mean "onChange"?'],
  ])('a wrong listener of a view is refused, and watches nothing: %j', async (listeners, message) => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const wrong = listeners as unknown as ViewListeners<Chat>;
    const refusal = expect.objectContaining({ code: 'INVALID_OPTIONS', message });
    expect(() => client.subscribeGroup<Chat>('chat', 'r1', wrong)).toThrow(refusal);
    const peer = await engine.peer();
    const view = client.subscribeGroup<Chat>('chat', 'r2');
    expect((await peer.next('join')).groupId).toBe('r2');
    expect(() => view.on(wrong)).toThrow(refusal);
  });

  it('a listener that is no function is refused', async () => {
    const client = connect('wss://example.com');
    const refusal = expect.objectContaining({ code: 'INVALID_OPTIONS', message: 'the listener must be a function' });
    expect(() => client.onError('log' as never)).toThrow(refusal);
    expect(() => client.onState(undefined as never)).toThrow(refusal);
    await client.close();
  });

  it('C7 options that are null are none', async () => {
    const client = connect('wss://example.com', null as unknown as ConnectOptions);
    expect(client.state.kind).toBe('connecting');
    await client.close();
  });

  it.each([{ token: null }, { getToken: () => null }])('C7 a token that is null travels as no token: %j', async (options) => {
    const engine = await FakeEngine.start();
    await connectTo(engine, options as unknown as ConnectOptions);
    const peer = await engine.peer();
    expect([peer.protocols, peer.url]).toEqual(['', '/']);
  });
});

describe('frames that are none', () => {
  it.each(['{', 'null', '[]', '{"type":"stream"}', '{"type":"resumed","data":{}}', '"\\ud800"'])(
    'make the client connect anew and go on from where it is: %s',
    async (text) => {
      const engine = await FakeEngine.start();
      const client = await connectTo(engine);
      const view = client.subscribeGroup<Chat>('chat', 'r1');
      const peer = await engine.peer();
      await peer.next('join');
      peer.send(sync(1, [['m1', 'one', 1]]));
      await view.whenLive();
      const error = errorOf(client, 'INVALID_FRAME');
      peer.sendText(text);
      await error;
      const join = await (await engine.peer()).next('join');
      expect([join.since, texts(view)]).toEqual(['e1:1', ['m1:one']]);
    },
  );

  it('of a kind that this version does not know are passed over', async () => {
    const engine = await FakeEngine.start();
    const client = await connectTo(engine);
    const view = client.subscribeGroup<Chat>('chat', 'r1');
    const peer = await engine.peer();
    await peer.next('join');
    peer.send(sync(1, []), { type: 'later', data: {} }, { type: 'later' }, resumed('nobody', 'tail', 1, 2), create(2, 'm1', 'one'));
    await whenView(view, ({ size }) => size === 1);
    expect(client.counters).toEqual({ holes: 0, duplicates: 0, connections: 1 });
  });
});
