import { same } from '../../peers/check.js';
import { Failure, type Frame } from '../../peers/peer-worker.js';
import type { Case } from '../../runner/case.js';

const needs = ['worker'] as const;

export const stateTriggerCases: readonly Case[] = [
  {
    rules: ['SA-3'],
    title: 'create, update and delete fire with six keys; an update or delete without effect does not',
    needs,
    async run(context) {
      const worker = await context.worker();
      const [f, scope] = [context.name('f'), context.name('scope')];
      const at = { scope, key: 'k' };
      await worker.serve(f, () => undefined);
      await worker.bind('state', f, { scope });
      await worker.result('state::update', { ...at, ops: [] });
      await worker.result('state::set', { ...at, value: null });
      await worker.result('state::set', { ...at, value: { n: 1 } });
      await worker.result('state::update', { ...at, ops: [{ type: 'increment', path: 'n', by: 1 }] });
      await worker.result('state::update', { ...at, ops: [{ type: 'increment', path: 'n', by: 0 }] });
      await worker.result('state::delete', at);
      await worker.call('state::delete', at);
      const changes = [
        ['created', null, null],
        ['updated', null, { n: 1 }],
        ['updated', { n: 1 }, { n: 2 }],
        ['deleted', { n: 2 }, null],
      ] as const;
      for (const [kind, old_value, new_value] of changes) {
        const { data } = await worker.takeCall(f);
        same(data, { type: 'state', event_type: `state:${kind}`, ...at, old_value, new_value }, `the event "${kind}"`);
      }
      await worker.settled();
      same(worker.callsOf(f).length, changes.length, 'how often it fired');
    },
  },
  {
    rules: ['SA-3', 'WP-24'],
    title: 'a state trigger filters by scope and key, and fires unless its condition answers false or fails',
    needs,
    async run(context) {
      const worker = await context.worker();
      const [scope, other] = [context.name('scope'), context.name('other')];
      const conditions: Record<string, () => unknown> = {
        false: () => false,
        error: () => {
          throw new Failure({ code: 'no', message: 'no' });
        },
        null: () => null,
        object: () => ({}),
      };
      const watch = async (what: string, config: Frame) => {
        await worker.serve(context.name(what), () => undefined);
        await worker.bind('state', context.name(what), config);
      };
      for (const [name, condition] of Object.entries(conditions)) {
        await worker.serve(context.name(`if-${name}`), condition);
        await watch(`then-${name}`, { scope, key: 'a', condition_function_id: context.name(`if-${name}`) });
      }
      await watch('scope', { scope });
      await watch('key', { key: context.name('key') });
      await watch('both', { scope, key: 'a' });
      await watch('last', { scope, key: 'last' });
      const keys = [
        [scope, 'a'],
        [scope, context.name('key')],
        [other, context.name('key')],
        [scope, 'last'],
      ] as const;
      context.atEnd(() => Promise.all(keys.map(([at, key]) => worker.call('state::delete', { scope: at, key }))));
      for (const [at, key] of keys) await worker.result('state::set', { scope: at, key, value: 1 });
      const expected = { scope: 3, key: 2, both: 1, last: 1, 'then-null': 1, 'then-object': 1, 'then-false': 0, 'then-error': 0 };
      for (const [what, times] of Object.entries(expected)) {
        for (let n = 0; n < times; n++) await worker.takeCall(context.name(what));
      }
      // Triggers of one key fire in order: when the second change has fired, the first one has fired everything.
      await worker.result('state::delete', { scope, key: 'a' });
      for (const what of ['both', 'then-null']) await worker.takeCall(context.name(what));
      await worker.settled();
      for (const what of ['then-false', 'then-error', 'last'])
        same(worker.callsOf(context.name(what)).length, expected[what as keyof typeof expected], `how often "${what}" fired`);
    },
  },
];
