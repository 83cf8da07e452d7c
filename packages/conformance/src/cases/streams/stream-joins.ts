import { holds, same } from '../../peers/check.js';
import { within } from '../../peers/peer-socket.js';
import { dataOf, kindOf, type PeerStream } from '../../peers/peer-stream.js';
import type { Frame } from '../../peers/peer-worker.js';
import type { Case } from '../../runner/case.js';

const needs = ['worker', 'stream'] as const;

/** Bytes of a frame that no server takes. The original engine takes at most 64 MiB. */
export const OVERSIZED = 64 * 1_024 * 1_024 + 1;

/** Returns the values that a client has: those of the last `sync`, changed by the frames after it. */
function mirror(stream: PeerStream): unknown[] {
  const items = new Map<unknown, unknown>();
  for (const frame of stream.inbox.all) {
    const [kind, data] = [kindOf(frame), dataOf(frame)];
    if (kind === 'sync') {
      items.clear();
      for (const value of data as Frame[]) items.set(value.id, value);
    } else if (kind === 'delete') items.delete((data as Frame).id);
    else items.set((data as Frame).id, data);
  }
  return sorted([...items.values()]);
}

const sorted = (values: unknown) => (values as unknown[]).map((value) => JSON.stringify(value)).toSorted();

export const joinCases: readonly Case[] = [
  {
    rules: ['ST-6'],
    title: '20 clients that join while others write start with a sync and end with what is stored',
    needs,
    async run(context) {
      const worker = await context.worker();
      const name = context.name('s');
      const at = (item_id: string) => ({ stream_name: name, group_id: 'g', item_id });
      const ids = Array.from({ length: 8 }, (_, n) => `m${n}`);
      context.atEnd(() => Promise.all([...ids, 'last'].map((id) => worker.result('stream::delete', at(id)))));
      let joining = true;
      const writing = (async () => {
        for (let n = 0; joining; n++) {
          const id = ids[n % ids.length] ?? '';
          if (n % 7 === 6) worker.void('stream::delete', at(id));
          else worker.void('stream::set', { ...at(id), data: { id, n } });
          if (n % 16 === 15) await worker.settled();
        }
        await worker.result('stream::set', { ...at('last'), data: { id: 'last' } });
      })();
      const streams: PeerStream[] = [];
      try {
        while (streams.length < 20) {
          const stream = await context.stream(`/stream/${name}/g`);
          streams.push(stream);
          await stream.take('sync');
        }
      } finally {
        joining = false;
        await writing;
      }
      const stored = sorted(await worker.result('stream::list', { stream_name: name, group_id: 'g' }));
      for (const stream of streams) {
        await stream.take('create', ({ id }) => id === 'last');
        same(stream.kinds()[0], 'sync', 'the first frame of one who joins');
        same(mirror(stream), stored, 'what one who joined ends with');
      }
    },
  },
  {
    rules: ['ST-15'],
    title: 'a repeated join replaces its subscription; the sync after a reconnect is newer than what came before',
    needs,
    async run(context) {
      const worker = await context.worker();
      const [name, leave] = [context.name('s'), context.name('leave')];
      const item = (group_id: string) => ({ stream_name: name, group_id, item_id: 'i' });
      context.atEnd(() => Promise.all(['a', 'b'].map((group) => worker.result('stream::delete', item(group)))));
      await worker.serve(leave, () => undefined);
      await worker.bind('stream:leave', leave, { stream_name: name });
      const stream = await context.stream();
      stream.join('one', name, 'a');
      await stream.take('sync');
      stream.join('one', name, 'b');
      await stream.take('sync', ({ groupId }) => groupId === 'b');
      same(((await worker.takeCall(leave)).data as Frame).group_id, 'a', 'the group that was left');
      for (const group of ['a', 'b']) await worker.result('stream::set', { ...item(group), data: { id: 'i', group } });
      await worker.result('stream::set', { ...item('b'), data: { id: 'i', n: 2 } });
      const last = await stream.take('update');
      same(stream.kinds(), ['sync', 'sync', 'create', 'update'], 'frames of the group that replaced the other');
      stream.socket.terminate();
      await worker.result('stream::set', { ...item('b'), data: { id: 'i', n: 3 } });
      const again = await context.stream();
      again.join('one', name, 'b', 'i');
      const sync = await again.take('sync');
      same(dataOf(sync), { id: 'i', n: 3 }, 'the sync after the reconnect');
      holds(Number(sync.timestamp) > Number(last.timestamp), 'its timestamp is above that of the last frame before', [last, sync]);
    },
  },
  {
    rules: ['ST-20'],
    title: 'a client that reads nothing delays nobody, stays connected, and catches up with 12 MB when it reads again',
    needs,
    async run(context) {
      const worker = await context.worker();
      const name = context.name('s');
      const at = (n: number) => ({ stream_name: name, group_id: 'g', item_id: `m${n % 10}` });
      context.atEnd(() => Promise.all(Array.from({ length: 10 }, (_, n) => worker.result('stream::delete', at(n)))));
      const [stalled, reader] = [await context.stream(`/stream/${name}/g`), await context.stream(`/stream/${name}/g`)];
      for (const stream of [stalled, reader]) await stream.take('sync');
      stalled.socket.pause();
      const text = 'x'.repeat(30_000);
      for (let n = 0; n < 400; n++) await worker.result('stream::set', { ...at(n), data: { id: `m${n % 10}`, n, text } });
      const isLast = (frame: Frame) => kindOf(frame) !== 'sync' && (dataOf(frame) as Frame).n === 399;
      await reader.inbox.take(isLast, 'the last change at the one who reads');
      same(reader.inbox.all.length, 401, 'frames of the one who reads');
      const late = await context.stream(`/stream/${name}/g`);
      await late.take('sync');
      stalled.socket.resume();
      const holdsLast = (frame: Frame) =>
        kindOf(frame) === 'sync' ? (dataOf(frame) as Frame[]).some(({ n }) => n === 399) : (dataOf(frame) as Frame).n === 399;
      await stalled.inbox.take(holdsLast, 'the last change at the one who did not read');
      const stored = sorted(await worker.result('stream::list', { stream_name: name, group_id: 'g' }));
      same(mirror(stalled).length, stored.length, 'how many items the one who did not read has');
      holds(JSON.stringify(mirror(stalled)) === JSON.stringify(stored), 'the one who did not read ends with what is stored', 'other items');
    },
  },
  {
    rules: ['ST-13'],
    title: 'join and leave handlers run for their stream only, and not when their condition answers false',
    needs,
    async run(context) {
      const worker = await context.worker();
      const [name, other] = [context.name('s'), context.name('other')];
      const [no, yes] = [context.name('no'), context.name('yes')];
      await worker.serve(no, () => false);
      await worker.serve(yes, () => null);
      const bind = async (type: string, what: string, config: Frame, answer: unknown) => {
        await worker.serve(context.name(what), () => answer);
        await worker.bind(type, context.name(what), config);
      };
      const denied = { unauthorized: true };
      await bind('stream:join', 'skipped', { stream_name: name, condition_function_id: no }, denied);
      await bind('stream:join', 'elsewhere', { stream_name: other }, denied);
      await bind('stream:join', 'asked', { stream_name: name, condition_function_id: yes }, {});
      await bind('stream:leave', 'not-told', { stream_name: name, condition_function_id: no }, null);
      await bind('stream:leave', 'not-here', { stream_name: other }, null);
      await bind('stream:leave', 'told', { stream_name: name, condition_function_id: yes }, null);
      const stream = await context.stream();
      stream.join('one', name, 'g');
      await stream.take('sync');
      stream.join('two', other, 'g');
      await stream.take('unauthorized');
      stream.socket.close();
      await worker.takeCall(context.name('told'));
      await worker.settled();
      const times = ['skipped', 'elsewhere', 'asked', 'not-told', 'not-here', 'told'].map((what) => [
        what,
        worker.callsOf(context.name(what)).length,
      ]);
      same(Object.fromEntries(times), { skipped: 0, elsewhere: 1, asked: 1, 'not-told': 0, 'not-here': 0, told: 1 }, 'calls of handlers');
    },
  },
  {
    rules: ['ST-16'],
    title: 'stream triggers filter by stream, group and item; no filter and an empty one are any',
    needs,
    async run(context) {
      const worker = await context.worker();
      const [name, news] = [context.name('s'), context.name('news')];
      const seen: Record<string, unknown[]> = {};
      const watch = async (what: string, config: unknown) => {
        seen[what] = [];
        await worker.serve(context.name(what), (data) => {
          if ([name, news].includes(String((data as Frame).streamName))) seen[what]?.push(kindOf(data as Frame));
        });
        await worker.bind('stream', context.name(what), config);
      };
      await watch('stream', { stream_name: name });
      await watch('group', { stream_name: name, group_id: 'g', item_id: '' });
      await watch('item', { stream_name: name, group_id: 'g', item_id: 'i' });
      await watch('all', undefined);
      await watch('end', { stream_name: news, group_id: 'end' });
      const set = (stream_name: string, group_id: string, item_id: string) =>
        worker.result('stream::set', { stream_name, group_id, item_id, data: { id: item_id } });
      const places = [
        [name, 'g', 'i'],
        [name, 'g', 'j'],
        [name, 'h', 'i'],
        [news, 'g', 'i'],
      ] as const;
      for (const [stream, group, item] of places) await set(stream, group, item);
      for (const [stream_name, group_id, item_id] of places) await worker.result('stream::delete', { stream_name, group_id, item_id });
      await worker.result('stream::send', { stream_name: name, group_id: 'g', type: 't', data: 1 });
      await worker.result('stream::send', { stream_name: news, group_id: 'end', type: 't', data: 1 });
      const times = { stream: 7, group: 5, item: 2, all: 10, end: 1 };
      for (const [what, count] of Object.entries(times)) {
        const mine = (frame: Frame) =>
          frame.function_id === context.name(what) && [name, news].includes(String((frame.data as Frame).streamName));
        for (let n = 0; n < count; n++) await worker.take('invokefunction', mine);
      }
      await worker.settled();
      same(Object.fromEntries(Object.entries(seen).map(([what, kinds]) => [what, kinds.length])), times, 'how often each fired');
      same(seen.item, ['create', 'delete'], 'what the trigger of an item saw');
    },
  },
  {
    rules: ['ST-25'],
    title: 'an oversized frame closes its own socket, and no other',
    needs: ['stream'],
    async run(context) {
      const [offender, other] = [await context.stream(), await context.stream()];
      offender.socket.send(Buffer.alloc(OVERSIZED, 'x').toString());
      await within(offender.closed, context.patienceMs, 'the end of the socket that sent too much');
      other.join('one', context.name('s'), 'g');
      await other.take('sync');
    },
  },
];
