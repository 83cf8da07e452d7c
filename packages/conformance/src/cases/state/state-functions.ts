import { holds, same } from '../../peers/check.js';
import type { Frame } from '../../peers/peer-worker.js';
import type { Case, CaseContext } from '../../runner/case.js';

const needs = ['worker'] as const;

async function place(context: CaseContext, ...keys: readonly string[]) {
  const worker = await context.worker();
  const scope = context.name('scope');
  context.atEnd(() => Promise.all(keys.map((key) => worker.result('state::delete', { scope, key }))));
  return { worker, scope };
}

export const stateCases: readonly Case[] = [
  {
    rules: ['SA-1', 'SA-2', 'SA-11'],
    title: 'set, get, delete, list and list_groups answer by their shapes; data stands for value',
    needs,
    async run(context) {
      const { worker, scope } = await place(context, 'k');
      const at = { scope, key: 'k' };
      same(await worker.result('state::set', { ...at, value: { n: 1 } }), { old_value: null, new_value: { n: 1 } }, 'a first set');
      same(await worker.result('state::set', { ...at, data: 2 }), { old_value: { n: 1 }, new_value: 2 }, 'a set with data');
      same(await worker.result('state::get', at), 2, 'a get');
      same(await worker.result('state::list', { scope }), [2], 'a list');
      const { groups } = (await worker.result('state::list_groups', {})) as { groups: string[] };
      holds(groups.includes(scope), 'list_groups has the scope', groups.slice(0, 10));
      same(await worker.result('state::delete', at), 2, 'a delete is the bare old value');
      for (const id of ['state::delete', 'state::get']) {
        const answer = await worker.call(id, at);
        holds(!('result' in answer) && !('error' in answer), `${id} of nothing is no key "result"`, answer);
      }
    },
  },
  {
    rules: ['SA-5', 'SA-6'],
    title: 'a failing operation is reported and skipped; segments count in bytes',
    needs,
    async run(context) {
      const { worker, scope } = await place(context, 'k');
      const update = (...ops: Frame[]) => worker.result('state::update', { scope, key: 'k', ops }) as Promise<Frame>;
      const good = await update({ type: 'set', path: 'é'.repeat(128), value: 1 });
      holds(!('errors' in good), '128 letters of two bytes pass, without a key "errors"', good);
      const bad = await update(
        { type: 'set', path: 'é'.repeat(129), value: 1 },
        { type: 'merge', path: '__proto__', value: [] },
        { type: 'set', path: 'n', value: 1 },
      );
      const codes = (bad.errors as Frame[] | undefined)?.map(({ op_index, code }) => [op_index, code]);
      same(
        codes,
        [
          [0, 'set.path.segment_too_long'],
          [1, 'merge.path.proto_polluted'],
        ],
        'the first failure of each operation',
      );
      same((bad.new_value as Frame).n, 1, 'the operation after them');
    },
  },
  {
    rules: ['SA-7'],
    title: 'append makes an array below, and keeps a string at the first level',
    needs,
    async run(context) {
      const { worker, scope } = await place(context, 'k');
      const at = { scope, key: 'k' };
      const append = (path: unknown, value: unknown) => worker.result('state::update', { ...at, ops: [{ type: 'append', path, value }] });
      await worker.result('state::set', { ...at, value: { a: [1] } });
      same(((await append(['a', 'b'], 42)) as Frame).new_value, { a: { b: [42] } }, 'a number below an array');
      same(((await append(['a', 'c'], 'x')) as Frame).new_value, { a: { b: [42], c: ['x'] } }, 'a string below');
      same(((await append('s', 'x')) as Frame).new_value, { a: { b: [42], c: ['x'] }, s: 'x' }, 'a string at the first level');
    },
  },
  {
    rules: ['SA-8'],
    title: 'an unknown operation fails the call and stores nothing',
    needs,
    async run(context) {
      const { worker, scope } = await place(context, 'k');
      const ops = [{ type: 'set', path: 'a', value: 1 }, { type: 'nobody' }];
      same((await worker.errorOf('state::update', { scope, key: 'k', ops })).code, 'deserialization_error', 'the code');
      same(await worker.result('state::list', { scope }), [], 'what is stored');
    },
  },
  {
    rules: ['SA-9'],
    title: '1,000 increments at once add 1,000',
    needs,
    async run(context) {
      const { worker, scope } = await place(context, 'k');
      const ops = [{ type: 'increment', path: 'n', by: 1 }];
      await Promise.all(Array.from({ length: 1_000 }, () => worker.result('state::update', { scope, key: 'k', ops })));
      same(await worker.result('state::get', { scope, key: 'k' }), { n: 1_000 }, 'the value');
    },
  },
];
