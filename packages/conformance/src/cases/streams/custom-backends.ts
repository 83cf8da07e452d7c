import { holds, same } from '../../peers/check.js';
import { dataOf, kindOf } from '../../peers/peer-stream.js';
import type { Frame, PeerWorker } from '../../peers/peer-worker.js';
import { type Case, type CaseContext, eventually } from '../../runner/case.js';

const needs = ['worker', 'stream'] as const;

interface Request {
  readonly group_id: string;
  readonly item_id: string;
  readonly data: unknown;
}

/** A backend that keeps its groups in memory. `set` and `delete` return nothing, as in the reference example, or the old and new value. */
class Backend {
  readonly groups = new Map<string, Map<string, unknown>>();
  readonly asked: (readonly [string, Frame])[] = [];

  async serve(worker: PeerWorker, stream: string, answers: 'all' | 'nothing'): Promise<void> {
    const of = (group: string) => this.groups.get(group) ?? new Map<string, unknown>();
    const know = (answer: Frame) => (answers === 'all' ? answer : undefined);
    const operations: Record<string, (request: Request) => unknown> = {
      get: ({ group_id, item_id }) => of(group_id).get(item_id),
      list: ({ group_id }) => [...of(group_id).values()],
      list_groups: () => [...this.groups.keys()],
      set: ({ group_id, item_id, data }) => {
        const items = of(group_id);
        const old_value = items.get(item_id);
        this.groups.set(group_id, items.set(item_id, data));
        return know({ old_value, new_value: data });
      },
      delete: ({ group_id, item_id }) => {
        const old_value = of(group_id).get(item_id);
        of(group_id).delete(item_id);
        return know({ old_value });
      },
    };
    for (const [name, operation] of Object.entries(operations))
      await worker.serve(`stream::${name}(${stream})`, (data) => {
        this.asked.push([name, data as Frame]);
        return operation(data as Request);
      });
  }
}

async function place(context: CaseContext, answers: 'all' | 'nothing') {
  const [worker, server] = [await context.worker(), await context.worker()];
  const backend = new Backend();
  const stream = context.name(`s-${answers}`);
  await backend.serve(server, stream, answers);
  return { worker, server, backend, stream, group: { stream_name: stream, group_id: 'g' } };
}

export const backendCases: readonly Case[] = (['all', 'nothing'] as const)
  .map((answers): Case => {
    return {
      rules: ['ST-17'],
      title: `a backend whose set and delete answer ${answers === 'all' ? 'what they know' : 'nothing'} serves a stream by five functions`,
      needs,
      async run(context) {
        const { worker, backend, stream, group } = await place(context, answers);
        const item = { ...group, item_id: 'a' };
        const client = await context.stream();
        client.join('one', stream, 'g');
        same(dataOf(await client.take('sync')), [], 'the first sync');
        const [one, two] = [
          { id: 'a', n: 1 },
          { id: 'a', n: 2 },
        ];
        same(await worker.result('stream::get', item), undefined, 'a get of nothing');
        same(await worker.result('stream::set', { ...item, data: one }), { old_value: null, new_value: one }, 'a first set');
        same(await worker.result('stream::set', { ...item, data: two }), { old_value: one, new_value: two }, 'a second set');
        same(await worker.result('stream::get', item), two, 'a get');
        same(await worker.result('stream::list', group), [two], 'the list');
        same(await worker.result('stream::list_groups', { stream_name: stream }), ['g'], 'the groups');
        const late = await context.stream(`/stream/${stream}/g`);
        same(dataOf(await late.take('sync')), [two], 'the sync of one who joins later');
        same(await worker.result('stream::delete', item), { old_value: two }, 'a delete');
        same(await worker.result('stream::delete', item), { old_value: null }, 'a delete of nothing');
        await worker.result('stream::send', { ...group, type: 'end', data: null });
        await client.take('event');
        const frames = client.inbox.all.map((frame) => [kindOf(frame), frame.id, dataOf(frame)]);
        const expected = [
          ['sync', null, []],
          ['create', 'a', one],
          ['update', 'a', two],
          ['delete', 'a', two],
        ];
        same(frames.slice(0, -1), expected, 'the frames');
        const named = (name: string) => backend.asked.filter(([asked]) => asked === name).map(([, input]) => input);
        same(named('list')[0], group, 'the input of list');
        same(
          named('set'),
          [one, two].map((data) => ({ ...item, data })),
          'the input of set, which names no caller',
        );
        same(backend.groups.get('g')?.size, 0, 'items that the backend has left');
      },
    };
  })
  .concat(
    {
      rules: ['ST-18'],
      title: '50 updates at once read and write through the backend, and none is lost',
      needs,
      async run(context) {
        const { worker, backend, group } = await place(context, 'all');
        const other = await context.worker();
        const ops = [{ type: 'increment', path: 'n', by: 1 }];
        const add = (through: PeerWorker) => through.result('stream::update', { ...group, item_id: 'i', ops });
        same(await add(worker), { old_value: null, new_value: { n: 1 } }, 'a first update');
        await Promise.all(Array.from({ length: 49 }, (_, n) => add(n % 2 === 0 ? worker : other)));
        same(backend.groups.get('g')?.get('i'), { n: 50 }, 'what the backend has');
      },
    },
    {
      rules: ['ST-19'],
      title: 'while a backend is away its stream answers errors; when it is back nothing was written elsewhere',
      needs,
      async run(context) {
        const { worker, server, backend, stream, group } = await place(context, 'all');
        const item = { ...group, item_id: 'i' };
        await worker.result('stream::set', { ...item, data: 1 });
        await worker.result('stream::list', group);
        await server.drop();
        const gone = async () => ((await worker.call('stream::get', item)).error as Frame | undefined)?.code;
        const code = 'STREAM_BACKEND_UNAVAILABLE';
        holds(await eventually(context.patienceMs, async () => (await gone()) === code), `a get fails with ${code}`, await gone());
        for (const [id, input] of [
          ['stream::set', { ...item, data: 2 }],
          ['stream::delete', item],
          ['stream::list', group],
          ['stream::update', { ...item, ops: [{ type: 'set', path: '', value: 3 }] }],
        ] as const)
          same((await worker.errorOf(id, input)).code, code, `the code of ${id}`);
        await backend.serve(await context.worker(), stream, 'all');
        same(await worker.result('stream::get', item), 1, 'the item when the backend is back');
        same(await worker.result('stream::list', group), [1], 'the list when the backend is back');
      },
    },
  );
