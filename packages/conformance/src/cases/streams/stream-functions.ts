import { holds, same } from '../../peers/check.js';
import type { Case, CaseContext } from '../../runner/case.js';

const needs = ['worker', 'stream'] as const;

async function place(context: CaseContext, ...items: readonly string[]) {
  const worker = await context.worker();
  const group = { stream_name: context.name('s'), group_id: 'g' };
  context.atEnd(() => Promise.all(items.map((item_id) => worker.result('stream::delete', { ...group, item_id }))));
  return { worker, group };
}

export const streamCases: readonly Case[] = [
  {
    rules: ['ST-1', 'ST-23'],
    title: 'set, get, list and delete answer by their shapes; a stored null is a value',
    needs,
    async run(context) {
      const { worker, group } = await place(context, 'i');
      const item = { ...group, item_id: 'i' };
      same(await worker.result('stream::set', { ...item, data: 1 }), { old_value: null, new_value: 1 }, 'a first set');
      same(await worker.result('stream::set', { ...item, data: null }), { old_value: 1, new_value: null }, 'a second set');
      const stored = await worker.call('stream::get', item);
      holds('result' in stored && stored.result === null, 'a stored null is "result": null', stored);
      same(await worker.result('stream::list', group), [null], 'the list');
      same(await worker.result('stream::delete', item), { old_value: null }, 'a delete');
      same(await worker.result('stream::delete', item), { old_value: null }, 'a delete of nothing');
      const missing = await worker.call('stream::get', item);
      holds(!('result' in missing) && !('error' in missing), 'a missing item is no key "result"', missing);
      same(await worker.result('stream::list', { ...group, group_id: 'unknown' }), [], 'the list of an unknown group');
    },
  },
  {
    rules: ['ST-22'],
    title: 'groups with special characters in their names are kept apart',
    needs,
    async run(context) {
      const worker = await context.worker();
      const stream_name = `${context.name('s')}:*/%`;
      const groups = ['', '*', '/', ':', 'a b', 'a%20b', 'ü🙂', '[a]', '?'];
      context.atEnd(() =>
        Promise.all(groups.map((group_id) => worker.result('stream::delete', { stream_name, group_id, item_id: group_id }))),
      );
      for (const group_id of groups) await worker.result('stream::set', { stream_name, group_id, item_id: group_id, data: { group_id } });
      for (const group_id of groups)
        same(await worker.result('stream::list', { stream_name, group_id }), [{ group_id }], `the list of "${group_id}"`);
      const names = (await worker.result('stream::list_groups', { stream_name })) as string[];
      same(names.toSorted(), groups.toSorted(), 'list_groups');
    },
  },
  {
    rules: ['WP-22'],
    title: 'void sets of one worker take effect in their order',
    needs,
    async run(context) {
      const { worker, group } = await place(context, 'i');
      const item = { ...group, item_id: 'i' };
      for (let n = 0; n < 100; n++) worker.void('stream::set', { ...item, data: n });
      same(await worker.result('stream::get', item), 99, 'the value after 100 void sets');
    },
  },
];
