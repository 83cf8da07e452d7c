import { describe, expect, it } from 'vitest';
import type { GroupView, StreamClient } from '../../src/index.js';
import { connectTo, errorOf, FakeEngine, type Message, type Peer } from '../fake-engine.js';
import { caughtUp, create, event, gap, itemSync, remove, resumed, stale, sync, update } from '../frames.js';
import { type Chat, texts, ViewLog, whenView } from '../watch.js';

interface Watching {
  readonly engine: FakeEngine;
  readonly client: StreamClient;
  readonly view: GroupView<Chat>;
  readonly log: ViewLog;
  readonly peer: Peer;
  readonly join: Message['data'];
}

/** Returns a live view of m1 and m2 at offset 4. */
async function watch(): Promise<Watching> {
  const engine = await FakeEngine.start();
  const client = await connectTo(engine);
  const log = new ViewLog();
  const view = client.subscribeGroup<Chat>('chat', 'r1', log.listeners);
  const peer = await engine.peer();
  const join = await peer.next('join');
  peer.send(
    sync(4, [
      ['m1', 'one', 1],
      ['m2', 'two', 2],
    ]),
  );
  await view.whenLive();
  log.lines.length = 0;
  return { engine, client, view, log, peer, join };
}

/** Returns the same view after a lost connection, and the join that came over the next connection. */
async function comeBack(from?: Watching): Promise<Watching> {
  const watching = from ?? (await watch());
  watching.peer.drop();
  const peer = await watching.engine.peer();
  return { ...watching, peer, join: await peer.next('join') };
}

describe('coming back', () => {
  it('RV-4 RV-6 sends where it is, and applies the tail as it comes', async () => {
    const { view, log, peer, join, client } = await comeBack();
    expect(join).toEqual({ subscriptionId: join.subscriptionId, streamName: 'chat', groupId: 'r1', positions: true, since: 'e1:4' });
    expect([view.status, texts(view)]).toEqual(['stale', ['m1:one', 'm2:two']]);
    const statuses: string[] = [];
    view.on({ onStatus: (status) => void statuses.push(`${status} ${view.position?.offset}`) });
    peer.send(resumed(join.subscriptionId, 'tail', 4, 7), update(5, 'm1', 'ONE'), event(6, 'typing'), create(7, 'm3', 'three'));
    peer.send(remove(8, 'm2'));
    await log.until(4);
    expect(log.lines).toEqual(['5 update m1 one>ONE', 'event typing null', '7 create m3 three', '8 delete m2 two']);
    expect(statuses).toEqual(['live 7']);
    expect(client.counters).toEqual({ holes: 0, duplicates: 0, connections: 2 });
  });

  it('RV-6 is live at once when nothing was missed', async () => {
    const { view, log, peer, join } = await comeBack();
    peer.send(resumed(join.subscriptionId, 'tail', 4, 4));
    await view.whenLive();
    expect([log.lines, view.position?.offset]).toEqual([[], 4]);
  });

  it('RV-7 shows changes in one step, at the end of them', async () => {
    const { view, log, peer, join } = await comeBack();
    peer.send(
      resumed(join.subscriptionId, 'changes', 4, 40),
      remove(10, 'm1', { created: 1 }),
      create(20, 'm9', 'nine', { created: 12 }),
      remove(22, 'm7', { created: 15 }),
      create(30, 'm2', 'new', { created: 13 }),
      event(31, 'lost'),
    );
    await whenView(view, ({ status }) => status === 'stale');
    expect(texts(view)).toEqual(['m1:one', 'm2:two']);
    const seen: string[] = [];
    view.on({ onChange: () => void seen.push(`${view.status} ${texts(view).join()}`) });
    peer.send(caughtUp(join.subscriptionId, 40), create(41, 'm10', 'ten'));
    await log.until(4);
    expect(log.lines).toEqual(['10 delete m1 one', '20 create m9 nine', '30 update m2 two>new', '41 create m10 ten']);
    expect(seen.slice(0, 3)).toEqual(['live m9:nine,m2:new', 'live m9:nine,m2:new', 'live m9:nine,m2:new']);
    expect([texts(view), view.position?.offset]).toEqual([['m9:nine', 'm2:new', 'm10:ten'], 41]);
  });

  it('RV-7 begins again from where it was when the connection ends in the middle of changes', async () => {
    const first = await comeBack();
    first.peer.send(resumed(first.join.subscriptionId, 'changes', 4, 40), remove(10, 'm1', { created: 1 }));
    const { join, view, log } = await comeBack(first);
    expect([join.since, texts(view), log.lines]).toEqual(['e1:4', ['m1:one', 'm2:two'], []]);
  });

  it('RV-7 takes of changes what it does not know, and of each item the newest', async () => {
    const { view, log, peer, join } = await comeBack();
    peer.send(
      resumed(join.subscriptionId, 'changes', 2, 9),
      update(3, 'm1', 'known', { created: 1 }),
      update(8, 'm2', 'older', { created: 2 }),
      update(9, 'm2', 'newest', { created: 2 }),
      update(8, 'm2', 'older', { created: 2 }),
      caughtUp(join.subscriptionId, 9),
    );
    await log.until(1);
    expect([log.lines, texts(view)]).toEqual([['9 update m2 two>newest'], ['m1:one', 'm2:newest']]);
  });

  it('RV-8 a sync replaces everything, and says why', async () => {
    const { view, log, peer } = await comeBack();
    peer.send(sync(2, [['m5', 'five', 1]], { epoch: 'e2', reason: 'epoch' }), create(3, 'm6', 'six'));
    await log.until(2);
    expect(log.lines).toEqual(['reset epoch 2', '3 create m6 six']);
    expect([texts(view), view.position]).toEqual([['m5:five', 'm6:six'], { epoch: 'e2', offset: 3 }]);
  });

  it('RV-16 a sync for another subscription changes nothing; a sync for this one counts at any position', async () => {
    const { view, log, peer } = await watch();
    peer.sendRaw(sync(9, [['m1', 'other', 1]]));
    peer.send(create(4, 'm0', 'known'), create(5, 'm5', 'five'));
    await log.until(1);
    expect(log.lines).toEqual(['5 create m5 five']);
    peer.send(sync(2, [['m1', 'one', 1]], { reason: 'ahead' }), create(3, 'm3', 'three'));
    await log.until(3);
    expect(log.lines.slice(1)).toEqual(['reset ahead 2', '3 create m3 three']);
    expect(texts(view)).toEqual(['m1:one', 'm3:three']);
  });

  it('RV-9 reports lost events, after what came before them', async () => {
    const { view, log, peer, join } = await comeBack();
    peer.send(resumed(join.subscriptionId, 'changes', 4, 9), gap(join.subscriptionId, 4, 9, 3), update(9, 'm1', 'ONE', { created: 1 }));
    peer.send(caughtUp(join.subscriptionId, 9), gap(join.subscriptionId, 9, 9), gap('another', 1, 2));
    await log.until(3);
    expect(log.lines).toEqual(['9 update m1 one>ONE', 'gap 4 9 3', 'gap 9 9 ?']);
    expect(view.status).toBe('live');
  });

  it('RV-10 follows a server that catches it up in the middle of a connection', async () => {
    const { view, log, peer, join, client } = await watch();
    peer.send(create(5, 'm5', 'five'), resumed(join.subscriptionId, 'changes', 5, 900), update(900, 'm1', 'ONE', { created: 1 }));
    await log.until(1);
    await whenView(view, ({ status }) => status === 'stale');
    peer.send(caughtUp(join.subscriptionId, 900), remove(901, 'm2'), sync(950, [], { reason: 'floor' }));
    await log.until(4);
    expect(log.lines).toEqual(['5 create m5 five', '900 update m1 one>ONE', '901 delete m2 two', 'reset floor 950']);
    expect(client.counters.holes).toBe(0);
  });
});

describe('a sync in parts', () => {
  it('RV-11 counts when its last part is there, and begins anew with part 0', async () => {
    const { view, log, peer, client } = await watch();
    const part = (offset: number, at: number, last: boolean, id: string, extra = {}) =>
      sync(offset, [[id, id, at + 1]], { part: at, last, ...extra });
    peer.send(part(50, 0, false, 'a', { reason: 'floor' }), part(50, 1, false, 'b'));
    await whenView(view, ({ status }) => status === 'stale');
    expect(texts(view)).toEqual(['m1:one', 'm2:two']);
    peer.send(part(60, 0, false, 'c', { reason: 'restarted' }), part(60, 1, false, 'd'), part(60, 2, true, 'e'), create(61, 'f', 'f'));
    await log.until(2);
    expect(log.lines).toEqual(['reset restarted 60', '61 create f f']);
    expect([texts(view), client.counters.holes]).toEqual([['c:c', 'd:d', 'e:e', 'f:f'], 0]);
  });

  it('RV-11 is requested again when a part is missing', async () => {
    const { view, peer, client } = await watch();
    const hole = errorOf(client, 'HOLE');
    peer.send(sync(50, [['a', 'a', 1]], { part: 0, last: false }), sync(50, [['c', 'c', 3]], { part: 2, last: true }));
    await hole;
    expect([(await peer.next('join')).since, texts(view), client.counters.holes]).toEqual(['e1:4', ['m1:one', 'm2:two'], 1]);
  });
});

describe('a hole that nothing explains', () => {
  it('RV-1 is never skipped: it joins again from where it is, and counts it', async () => {
    const { view, log, peer, join, client } = await watch();
    const hole = errorOf(client, 'HOLE');
    peer.send(create(5, 'm5', 'five'), create(7, 'm7', 'seven'), create(8, 'm8', 'eight'));
    await hole;
    const again = await peer.next('join');
    expect(again).toMatchObject({ subscriptionId: join.subscriptionId, since: 'e1:5' });
    peer.send(resumed(join.subscriptionId, 'tail', 5, 8), create(6, 'm6', 'six'), create(7, 'm7', 'seven'), create(8, 'm8', 'eight'));
    await log.until(4);
    expect(log.lines).toEqual(['5 create m5 five', '6 create m6 six', '7 create m7 seven', '8 create m8 eight']);
    expect([view.status, view.error, client.counters.holes]).toEqual(['live', undefined, 1]);
  });

  it.each([
    ['another epoch', (id: unknown) => [resumed(id, 'tail', 4, 4, 'e2')]],
    ['a later offset', (id: unknown) => [resumed(id, 'tail', 5, 9)]],
    ['other changes than it announced', (id: unknown) => [resumed(id, 'changes', 4, 9), caughtUp(id, 8)]],
    ['a change beyond what it announced', (id: unknown) => [resumed(id, 'changes', 4, 9), update(10, 'm1', 'x')]],
  ])('RV-5 is seen when the server resumes %s', async (_what, frames) => {
    const { client, peer, join } = await comeBack();
    const hole = errorOf(client, 'HOLE');
    peer.send(...frames(join.subscriptionId));
    await hole;
    expect((await peer.next('join')).since).toBe('e1:4');
  });

  it('RV-5 begins from a sync when it comes again and again', async () => {
    const { view, peer, join } = await watch();
    for (const since of ['e1:4', 'e1:4', undefined]) {
      peer.send(create(9, 'm9', 'nine'));
      const again = await peer.next('join');
      expect(again.since).toBe(since);
      peer.send(resumed(join.subscriptionId, 'tail', 4, 4));
    }
    peer.send(sync(9, [['m9', 'nine', 9]]));
    await whenView(view, ({ size }) => size === 1);
  });
});

describe('a batch', () => {
  it('RV-33 is shown in one step', async () => {
    const { view, log, peer } = await watch();
    const seen: string[] = [];
    view.on({ onChange: () => void seen.push(texts(view).join()) });
    peer.send(create(5, 'm5', 'five', { through: 7 }), update(6, 'm1', 'ONE', { through: 7 }));
    peer.send(remove(7, 'm2', { through: 7 }), create(8, 'm8', 'eight', { through: 8 }));
    await log.until(4);
    expect(log.lines).toEqual(['5 create m5 five', '6 update m1 one>ONE', '7 delete m2 two', '8 create m8 eight']);
    expect(seen).toEqual(['m1:ONE,m5:five', 'm1:ONE,m5:five', 'm1:ONE,m5:five', 'm1:ONE,m5:five,m8:eight']);
  });

  it('RV-33 that is cut off was not there', async () => {
    const first = await watch();
    first.peer.send(create(5, 'm5', 'five', { through: 6 }));
    const { join, view, log, peer } = await comeBack(first);
    expect([join.since, texts(view)]).toEqual(['e1:4', ['m1:one', 'm2:two']]);
    peer.send(resumed(join.subscriptionId, 'tail', 4, 6), create(5, 'm5', 'five', { through: 6 }), remove(6, 'm1', { through: 6 }));
    await log.until(2);
    expect([view.status, texts(view)]).toEqual(['live', ['m2:two', 'm5:five']]);
  });

  it('RV-33 whose rest comes as changes is shown with them', async () => {
    const { view, log, peer, join, client } = await watch();
    peer.send(create(5, 'm5', 'five', { through: 6 }), resumed(join.subscriptionId, 'changes', 5, 9));
    peer.send(update(9, 'm1', 'ONE', { created: 1 }), caughtUp(join.subscriptionId, 9));
    await log.until(2);
    expect([log.lines, texts(view)]).toEqual([
      ['5 create m5 five', '9 update m1 one>ONE'],
      ['m1:ONE', 'm2:two', 'm5:five'],
    ]);
    expect([view.position?.offset, client.counters.holes]).toEqual([9, 0]);
  });

  it('RV-33 with a change of something else inside is a hole', async () => {
    const { peer, client } = await watch();
    const hole = errorOf(client, 'HOLE');
    peer.send(create(5, 'm5', 'five', { through: 7 }), create(6, 'm6', 'six'));
    await hole;
    expect((await peer.next('join')).since).toBe('e1:4');
  });
});

describe('RV-17 an engine that can not reach its store', () => {
  /** Returns a live view after the engine has sent `stale`. */
  async function outdated() {
    const watching = await watch();
    const statuses: string[] = [];
    watching.view.on({ onStatus: (status) => void statuses.push(`${status} ${watching.view.position?.offset}`) });
    watching.peer.send(stale(watching.join.subscriptionId));
    await whenView(watching.view, ({ status }) => status === 'stale');
    return { ...watching, statuses };
  }

  it('the view is stale, shows what comes, and is live when it caught up', async () => {
    const { view, log, peer, join, client, statuses } = await outdated();
    peer.send(stale(join.subscriptionId), create(5, 'm5', 'five'));
    await log.until(1);
    expect([view.status, texts(view)]).toEqual(['stale', ['m1:one', 'm2:two', 'm5:five']]);
    peer.send(caughtUp(join.subscriptionId, 5), create(6, 'm6', 'six'));
    await log.until(2);
    expect(log.lines).toEqual(['5 create m5 five', '6 create m6 six']);
    expect(statuses).toEqual(['stale 4', 'live 5']);
    expect(client.counters.holes).toBe(0);
  });

  it.each([
    ['a sync', () => [sync(9, [['m9', 'nine', 9]], { reason: 'floor' })]],
    ['changes', (id: unknown) => [resumed(id, 'changes', 4, 9), create(9, 'm9', 'nine', { created: 9 }), caughtUp(id, 9)]],
  ])('%s ends it too', async (_what, frames) => {
    const { peer, join, view, statuses } = await outdated();
    peer.send(...frames(join.subscriptionId));
    await view.whenLive();
    expect(statuses).toEqual(['stale 4', 'live 9']);
  });

  it('what it is said to have and has not is a hole', async () => {
    const { peer, join, client } = await outdated();
    const hole = errorOf(client, 'HOLE');
    peer.send(caughtUp(join.subscriptionId, 6));
    await hole;
    expect((await peer.next('join')).since).toBe('e1:4');
  });

  it('a view of an item is live again wherever the group stands', async () => {
    const { peer, client } = await watch();
    const item = client.subscribeItem<Chat>('chat', 'r1', 'm1');
    const { subscriptionId } = await peer.next('join');
    peer.send(itemSync(4, 'm1', 'one', 1));
    await item.whenLive();
    peer.send(stale(subscriptionId));
    await whenView(item, ({ status }) => status === 'stale');
    peer.send(caughtUp(subscriptionId, 70));
    await item.whenLive();
    expect(client.counters.holes).toBe(0);
  });

  it('a new join forgets it, and nothing before its answer is about it', async () => {
    const first = await outdated();
    const { peer, join, view } = await comeBack(first);
    peer.send(stale(join.subscriptionId), resumed(join.subscriptionId, 'tail', 4, 4));
    await view.whenLive();
  });
});

describe('several subscriptions over one socket', () => {
  it('all come back, each from where it is, and frames of one are nothing to another', async () => {
    const watching = await watch();
    const other = watching.client.subscribeGroup<Chat>('chat', 'r2');
    const item = watching.client.subscribeItem<Chat>('chat', 'r1', 'm1');
    await watching.peer.next('join');
    await watching.peer.next('join');
    watching.peer.send(sync(70, [], { groupId: 'r2' }), itemSync(4, 'm1', 'one', 1));
    await Promise.all([other.whenLive(), item.whenLive()]);
    const { peer, join, view, client } = await comeBack(watching);
    const joins = [join, await peer.next('join'), await peer.next('join')];
    expect(joins.map(({ groupId, id, since }) => [groupId, id, since])).toEqual([
      ['r1', undefined, 'e1:4'],
      ['r2', undefined, 'e1:70'],
      ['r1', 'm1', 'e1:4'],
    ]);
    // The answer for the item comes first. Its frames must not change the view of the group.
    peer.send(
      resumed(joins[2]?.subscriptionId, 'changes', 4, 9),
      update(9, 'm1', 'ONE', { created: 1 }),
      caughtUp(joins[2]?.subscriptionId, 9),
    );
    peer.send(resumed(join.subscriptionId, 'tail', 4, 9), ...[5, 6, 7, 8].map((at) => create(at, `m${at}`, 'x')), update(9, 'm1', 'ONE'));
    peer.send(resumed(joins[1]?.subscriptionId, 'tail', 70, 70));
    await Promise.all([view.whenLive(), other.whenLive(), item.whenLive()]);
    expect([texts(view).length, item.item?.data.text, client.counters.holes]).toEqual([6, 'ONE', 0]);
  });
});
