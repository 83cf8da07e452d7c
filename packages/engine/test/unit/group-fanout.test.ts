import { afterEach, expect, it, vi } from 'vitest';
import { GroupFanout } from '../../src/stream/fanout/group-fanout.js';
import { GROUP, REF, Socket, settled, World } from '../hub-world.js';

afterEach(() => vi.useRealTimers());

it('a wait for an append that has ended leaves nothing behind', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const fanout = new GroupFanout(REF, () => Promise.resolve());
  for (let n = 0; n < 3; n++) {
    const appended = fanout.whenAppended(1_000);
    expect(fanout.waiting).toBe(1);
    vi.advanceTimersByTime(1_000);
    expect([await appended, fanout.waiting]).toEqual([false, 0]);
  }
  const woken = [fanout.whenAppended(1_000), fanout.whenAppended(1_000)];
  fanout.wake();
  expect([...(await Promise.all(woken)), fanout.waiting, vi.getTimerCount()]).toEqual([true, true, 0, 0]);
});

it.each(['gap', 'epoch'] as const)('a change of the same turn is sent before the log begins anew: %s', async (reason) => {
  const world = new World();
  const socket = new Socket();
  world.hub.join(world.hub.open(socket, REF), GROUP);
  await settled();
  world.flushes = false;
  world.publish(101);
  world.offset = 110;
  if (reason === 'epoch') world.epoch = 'f';
  world.hub.restart(REF, reason, { epoch: world.epoch, offset: 110 });
  await settled();
  expect(socket.written.filter((text) => text.includes('"sync"'))).toHaveLength(2);
  expect(socket.written.filter((text) => text.includes('"offset":101'))).toHaveLength(1);
  world.hub.stop();
});
