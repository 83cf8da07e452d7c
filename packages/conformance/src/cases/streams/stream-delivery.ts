import { holds, same } from '../../peers/check.js';
import { UpgradeRefused } from '../../peers/peer-socket.js';
import { dataOf, kindOf } from '../../peers/peer-stream.js';
import type { Frame } from '../../peers/peer-worker.js';
import type { Case } from '../../runner/case.js';

const needs = ['worker', 'stream'] as const;

export const deliveryCases: readonly Case[] = [
  {
    rules: ['ST-3', 'ST-4'],
    title: 'a join gets sync, then create, update and delete with the old value',
    needs,
    async run(context) {
      const [worker, stream] = [await context.worker(), await context.stream()];
      const name = context.name('s');
      const item = { stream_name: name, group_id: 'g', item_id: 'i' };
      stream.join('one', name, 'g');
      const sync = await stream.take('sync');
      same(
        [sync.type, sync.streamName, sync.groupId, sync.id, dataOf(sync)],
        ['stream', name, 'g', null, []],
        'the sync of an empty group',
      );
      holds(Number.isInteger(sync.timestamp), 'timestamp is a whole number', sync);
      await worker.result('stream::set', { ...item, data: { n: 1 } });
      await worker.result('stream::set', { ...item, data: { n: 2 } });
      await worker.result('stream::delete', item);
      for (const [kind, data] of [
        ['create', { n: 1 }],
        ['update', { n: 2 }],
        ['delete', { n: 2 }],
      ] as const) {
        const frame = await stream.take(kind);
        same([frame.id, dataOf(frame)], ['i', data], `the ${kind}`);
      }
      same(stream.kinds(), ['sync', 'create', 'update', 'delete'], 'the order of frames');
      stream.join('two', name, 'g', 'i');
      const missing = await stream.take('sync', (frame) => frame.id === 'i');
      same(dataOf(missing), null, 'the sync of a missing item');
    },
  },
  {
    rules: ['ST-2'],
    title: 'send takes type, event_type or neither, answers null and reaches the group',
    needs,
    async run(context) {
      const [worker, stream] = [await context.worker(), await context.stream()];
      const group = { stream_name: context.name('s'), group_id: 'g' };
      stream.join('one', group.stream_name, 'g');
      await stream.take('sync');
      for (const [input, type] of [
        [{ type: 'a' }, 'a'],
        [{ event_type: 'b' }, 'b'],
        [{}, 'message'],
      ] as const) {
        const answer = await worker.call('stream::send', { ...group, ...input, data: { x: 1 } });
        holds('result' in answer && answer.result === null, 'send answers "result": null', answer);
        same((await stream.take('event')).event, { type: 'event', event: { type, data: { x: 1 } } }, 'the event');
      }
    },
  },
  {
    rules: ['ST-5', 'ST-7'],
    title: '100 writes reach a socket of group and item once each, with rising timestamps',
    needs,
    async run(context) {
      const [worker, stream] = [await context.worker(), await context.stream()];
      const name = context.name('s');
      const item = { stream_name: name, group_id: 'g', item_id: 'i' };
      context.atEnd(() => worker.result('stream::delete', item));
      stream.join('one', name, 'g');
      stream.join('two', name, 'g', 'i');
      await stream.take('sync', ({ id }) => id === null);
      await stream.take('sync', ({ id }) => id === 'i');
      for (let n = 0; n < 100; n++) worker.void('stream::set', { ...item, data: { n } });
      await stream.take('update', (frame) => (dataOf(frame) as Frame).n === 99);
      await stream.settled();
      const changes = stream.inbox.all.filter((frame) => kindOf(frame) !== 'sync');
      same(
        changes.map((frame) => (dataOf(frame) as Frame).n),
        Array.from({ length: 100 }, (_, n) => n),
        'the changes',
      );
      const stamps = changes.map(({ timestamp }) => Number(timestamp));
      holds(
        stamps.every((stamp, at) => at === 0 || stamp > (stamps[at - 1] ?? 0)),
        'timestamps rise strictly',
        stamps,
      );
    },
  },
  {
    rules: ['ST-8'],
    title: 'the path of a group joins it, escaped or not; other paths are 404',
    needs,
    async run(context) {
      const name = `${context.name('s')} /ü`;
      for (const end of ['', '/']) {
        const stream = await context.stream(`/stream/${encodeURIComponent(name)}/g${end}`);
        same((await stream.take('sync')).streamName, name, 'the stream that was joined');
      }
      const refused: unknown = await context.stream('/elsewhere').catch((error: unknown) => error);
      holds(refused instanceof UpgradeRefused && refused.status === 404, 'another path is HTTP 404', String(refused));
    },
  },
  {
    rules: ['ST-9'],
    title: 'an offered sub-protocol Authorization is selected, the token is not',
    needs: ['stream'],
    async run(context) {
      const stream = await context.stream('/', { protocols: ['Authorization', 'a-token'] });
      same(stream.socket.protocol, 'Authorization', 'the selected sub-protocol');
    },
  },
  {
    rules: ['ST-12', 'ST-13', 'ST-14'],
    title: 'a denied join gets one frame; leave fires once, with stored names, and never for a forged one',
    needs,
    async run(context) {
      const [worker, stream] = [await context.worker(), await context.stream()];
      const [name, denied] = [context.name('s'), context.name('denied')];
      const [join, leave] = [context.name('join'), context.name('leave')];
      await worker.serve(join, () => ({ unauthorized: true }));
      await worker.serve(leave, () => undefined);
      await worker.bind('stream:join', join, { stream_name: denied });
      for (const stream_name of [name, denied]) await worker.bind('stream:leave', leave, { stream_name });
      stream.join('no', denied, 'g');
      await stream.take('unauthorized');
      stream.join('yes', name, 'g');
      await stream.take('sync');
      same(worker.callsOf(join).length, 1, 'calls of a join handler of one stream');
      stream.leave('forged', name, 'g');
      stream.socket.close();
      const call = await worker.takeCall(leave);
      const expected = { subscription_id: 'yes', stream_name: name, group_id: 'g', id: null, context: null };
      same(call.data, expected, 'what the leave handler got');
      await worker.settled();
      same(worker.callsOf(leave).length, 1, 'calls of the leave handler');
    },
  },
  {
    rules: ['ST-25'],
    title: 'frames that cannot be read leave the socket open',
    needs: ['stream'],
    async run(context) {
      const stream = await context.stream();
      for (const junk of ['', '{', '[]', '{"type":"join"}', '{"type":"nobody"}', '{"type":"join","data":{"subscriptionId":1}}'])
        stream.socket.send(junk);
      stream.socket.send(Buffer.from([255, 0]));
      stream.join('one', context.name('s'), 'g');
      await stream.take('sync');
    },
  },
];
