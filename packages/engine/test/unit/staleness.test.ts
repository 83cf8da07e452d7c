import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GROUP, REF, Socket, settled, World } from '../hub-world.js';

let world: World;
beforeEach(() => {
  world = new World();
  world.socket.positions = true;
});
afterEach(() => {
  world.hub.stop();
});

/** Returns the frames since the last call: control frames by type, subscription and offset, changes by offset. */
function written({ written: texts }: Socket = world.socket): string[] {
  const found = texts.splice(0).flatMap((text) =>
    [...text.matchAll(/"type":"(syncing|stale|caught_up|resumed|sync|update)"(?:,"data":\{"subscriptionId":"(\w+)")?/g)].map(
      ([, type, id], index, all) => {
        const part = text.slice(all[index]?.index, all[index + 1]?.index);
        const offset = /"offset":(\d+)/.exec(part)?.[1];
        return [type, id, offset].filter((word) => word !== undefined).join(' ');
      },
    ),
  );
  return found;
}

const join = async (request: object = {}, socket = world.socket) => {
  const subscription = world.hub.open(socket, REF);
  world.hub.join(subscription, { ...GROUP, ...request });
  await settled();
  written(socket);
  return subscription;
};

describe('RV-17', () => {
  it('each subscription gets stale once, behind what was sent, and the end of it once, behind all that was missed', async () => {
    const subscription = await join();
    world.hub.join(subscription, { subscriptionId: 's2', item: 'i', since: undefined });
    await settled();
    written();
    const commit = (offset: number) => world.publish(offset);
    commit(101);
    world.hub.setAvailable(REF, false);
    world.hub.setAvailable(REF, false);
    expect(written()).toEqual(['update 101', 'stale s1', 'stale s2']);
    commit(102);
    world.hub.setAvailable(REF, true);
    world.hub.setAvailable(REF, true);
    expect(written()).toEqual(['update 102', 'caught_up s1 102', 'caught_up s2 102']);
  });

  it('what waits for the end of the turn stands before it', async () => {
    await join();
    world.flushes = false;
    world.publish(101);
    world.hub.setAvailable(REF, false);
    world.publish(102);
    world.hub.setAvailable(REF, true);
    expect(written()).toEqual(['update 101', 'stale s1', 'update 102', 'caught_up s1 102']);
  });

  it('a client without positions gets nothing of it', async () => {
    world.socket.positions = false;
    await join();
    world.hub.setAvailable(REF, false);
    world.hub.setAvailable(REF, true);
    await settled();
    expect(written()).toEqual([]);
  });

  it('a lagging client gets stale when it has what was sent before, and not at all when the outage is over by then', async () => {
    const [slow, slower] = [world.socket, new Socket()];
    slower.positions = true;
    await join({}, slow);
    await join({}, slower);
    for (const each of [slow, slower]) each.hasRoom = false;
    world.publish(101);
    world.hub.setAvailable(REF, false);
    await settled();
    expect([written(slow), written(slower)]).toEqual([[], []]);
    slow.hasRoom = true;
    slow.drain();
    await settled();
    expect(written(slow)).toEqual(['update 101', 'stale s1']);
    slow.hasRoom = false;
    world.publish(102);
    world.hub.setAvailable(REF, true);
    for (const each of [slow, slower]) {
      each.hasRoom = true;
      each.drain();
    }
    await settled();
    expect(written(slow)).toEqual(['update 102', 'caught_up s1 102']);
    expect(written(slower)).toEqual(['update 101', 'update 102']);
  });

  it('a client at the head with a full socket gets stale as soon as it takes something', async () => {
    await join();
    world.socket.hasRoom = false;
    world.hub.setAvailable(REF, false);
    world.socket.hasRoom = true;
    world.socket.drain();
    await settled();
    expect(written()).toEqual(['stale s1']);
  });

  it('a client that joins meanwhile and is answered from the log gets stale behind its answer', async () => {
    await join();
    world.publish(101);
    world.hub.setAvailable(REF, false);
    const late = new Socket();
    late.positions = true;
    world.hub.join(world.hub.open(late, REF), { subscriptionId: 'late', item: undefined, since: { epoch: 'e', offset: 100 } });
    await settled();
    expect(written(late)).toEqual(['resumed late', 'update 101', 'stale late']);
    world.hub.setAvailable(REF, true);
    expect(written(late)).toEqual(['caught_up late 101']);
  });

  it('a sync ends it, and nothing else is said', async () => {
    await join();
    world.hub.setAvailable(REF, false);
    world.offset = 5;
    world.epoch = 'f';
    world.hub.restart(REF, 'epoch', { epoch: 'f', offset: 5 });
    world.hub.setAvailable(REF, true);
    await settled();
    world.publish(6);
    expect(written()).toEqual(['stale s1', 'syncing s1', 'sync 5', 'update 6']);
  });

  it('a client that is behind and needs what can not be read gets stale while it waits', async () => {
    await join();
    world.socket.hasRoom = false;
    world.publish(101);
    world.fails = () => {
      throw new Error('away');
    };
    world.hub.restart(REF, 'gap', { epoch: 'e', offset: 110 });
    world.offset = 110;
    world.hub.setAvailable(REF, false);
    world.socket.hasRoom = true;
    world.socket.drain();
    await settled();
    expect(written().filter((frame) => frame === 'stale s1')).toEqual(['stale s1']);
  });

  it('the hub reports since when the store and a group are unavailable, until they are available again', async () => {
    let now = 1_000;
    world.hub.stop();
    world = new World(undefined, undefined, { now: () => now, monotonic: () => now });
    world.socket.positions = true;
    const subscription = await join();
    world.hub.setAvailable(REF, false);
    expect([world.hub.isAnythingUnavailable, world.hub.unavailableSince(subscription)]).toEqual([true, 1_000]);
    now = 2_000;
    world.hub.setAvailable(undefined, false);
    now = 9_500;
    expect([world.hub.storeUnavailableMs, world.hub.unavailableSince(subscription)]).toEqual([7_500, 1_000]);
    world.hub.setAvailable(undefined, true);
    world.hub.setAvailable(REF, true);
    expect([world.hub.isAnythingUnavailable, world.hub.unavailableSince(subscription), world.hub.storeUnavailableMs]).toEqual([
      false,
      undefined,
      0,
    ]);
  });
});

describe('RV-62', () => {
  const watch = (item: string | undefined) => join({ item });
  const at = (offset: number, epoch = 'e') => ({ epoch, offset });

  beforeEach(() => void (world.flushes = false));

  it('the end of a call flushes what a client of an item lacks, and confirms it', async () => {
    const subscription = await watch('i');
    world.publish(101);
    world.hub.confirm(subscription, at(101));
    expect([written(), world.hub.counters.flushes]).toEqual([['update 101', 'caught_up s1 101'], 1]);
  });

  it('a flush is left out for what the client has already', async () => {
    const subscription = await watch('i');
    world.publish(101);
    world.hub.flush();
    written();
    world.publish(102);
    world.hub.confirm(subscription, at(101));
    expect([written(), world.hub.counters.flushes]).toEqual([['caught_up s1 101'], 1]);
    await settled();
    expect(written()).toEqual(['update 102']);
  });

  it.each<[who: string, item: string | undefined, positions: boolean, epoch: string]>([
    ['a client of the whole group', undefined, true, 'e'],
    ['a client without positions', 'i', false, 'e'],
    ['a client of another history', 'i', true, 'f'],
  ])('the end of a call leaves the batch of the turn alone for %s', async (_who, item, positions, epoch) => {
    world.socket.positions = positions;
    const subscription = await watch(item);
    world.publish(101);
    world.hub.confirm(subscription, at(101, epoch));
    expect([written(), world.hub.counters.flushes]).toEqual([[], 0]);
    await settled();
    expect([written(), world.hub.counters.flushes]).toEqual([['update 101'], 1]);
  });
});
