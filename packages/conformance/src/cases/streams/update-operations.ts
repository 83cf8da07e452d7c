import { same } from '../../peers/check.js';
import type { Frame } from '../../peers/peer-worker.js';
import type { Case } from '../../runner/case.js';

/** The value before an operation; `undefined` when the item does not exist. */
const BEFORE: Readonly<Record<string, unknown>> = { nothing: undefined, object: { k: 1 }, array: [1], text: 's', number: 7, null: null };

/** The operation fails, and the value stays as it is. */
class Fails {
  readonly code: string;

  constructor(code: string) {
    this.code = code;
  }
}

type Row = readonly [operation: Frame, after: Readonly<Record<string, unknown>>];

const everywhere = (after: unknown) => Object.fromEntries(Object.keys(BEFORE).map((kind) => [kind, after]));
const failsBut = (code: string, after: Frame) => ({ ...everywhere(new Fails(code)), ...after });
const x1 = { x: 1 };

/** One row for each operation and kind of path. The protocol does not define the kinds that are missing here. */
const ROWS: readonly Row[] = [
  [{ type: 'set', path: '', value: 'v' }, everywhere('v')],
  [{ type: 'set', path: 'k', value: 'v' }, failsBut('set.target_not_object', { nothing: { k: 'v' }, object: { k: 'v' } })],
  [{ type: 'merge', value: x1 }, failsBut('merge.target_not_object', { nothing: x1, object: { k: 1, x: 1 } })],
  [
    { type: 'merge', path: 'p', value: x1 },
    { ...everywhere({ p: x1 }), object: { k: 1, p: x1 } },
  ],
  [
    { type: 'merge', path: ['p', 'a.b'], value: x1 },
    { ...everywhere({ p: { 'a.b': x1 } }), object: { k: 1, p: { 'a.b': x1 } } },
  ],
  [{ type: 'increment', path: '', by: 2 }, failsBut('increment.not_number', { nothing: 2, number: 9 })],
  [{ type: 'increment', path: 'k', by: 2 }, failsBut('increment.target_not_object', { nothing: { k: 2 }, object: { k: 3 } })],
  [{ type: 'decrement', path: '', by: 2 }, failsBut('decrement.not_number', { nothing: -2, number: 5 })],
  [{ type: 'decrement', path: 'k', by: 2 }, failsBut('decrement.target_not_object', { nothing: { k: -2 }, object: { k: -1 } })],
  [{ type: 'append', value: 'x' }, failsBut('append.type_mismatch', { nothing: 'x', null: 'x', array: [1, 'x'], text: 'sx' })],
  [{ type: 'append', value: 2 }, failsBut('append.type_mismatch', { nothing: [2], null: [2], array: [1, 2] })],
  [{ type: 'append', path: 'p', value: 'x' }, failsBut('append.target_not_object', { nothing: { p: 'x' }, object: { k: 1, p: 'x' } })],
  [{ type: 'append', path: 'p', value: 2 }, failsBut('append.target_not_object', { nothing: { p: [2] }, object: { k: 1, p: [2] } })],
  [
    { type: 'append', path: ['p', 'q'], value: 'x' },
    failsBut('append.target_not_object', { nothing: { p: { q: ['x'] } }, object: { k: 1, p: { q: ['x'] } } }),
  ],
  [
    { type: 'remove', path: '' },
    { object: null, array: null, text: null, number: null, null: null },
  ],
  [
    { type: 'remove', path: 'k' },
    Object.fromEntries(Object.entries(failsBut('remove.target_not_object', { object: {} })).filter(([kind]) => kind !== 'nothing')),
  ],
];

/** The kinds of an existing field. */
const FIELDS = { text: 'a', list: [1], n: 1, none: null };
const LEAVES: readonly (readonly [operation: Frame, after: unknown])[] = [
  [{ type: 'append', path: 'text', value: 'b' }, 'ab'],
  [{ type: 'append', path: 'text', value: 1 }, new Fails('append.type_mismatch')],
  [{ type: 'append', path: 'list', value: 'x' }, [1, 'x']],
  [{ type: 'append', path: 'n', value: 'x' }, new Fails('append.type_mismatch')],
  [{ type: 'append', path: 'none', value: 'x' }, 'x'],
  [{ type: 'increment', path: 'text', by: 1 }, new Fails('increment.not_number')],
  [{ type: 'increment', path: 'none', by: 1 }, new Fails('increment.not_number')],
  [{ type: 'decrement', path: 'list', by: 1 }, new Fails('decrement.not_number')],
  [{ type: 'set', path: 'n' }, null],
];

export const updateCases: readonly Case[] = [
  {
    rules: ['SA-4'],
    title: 'every operation has its effect on nothing, an object, an array, a text, a number and null',
    needs: ['worker'],
    async run(context) {
      const worker = await context.worker();
      const at = { scope: context.name('scope'), key: 'k' };
      context.atEnd(() => worker.result('state::delete', at));
      const apply = async (before: unknown, operation: Frame, after: unknown) => {
        await worker.result('state::delete', at);
        if (before !== undefined) await worker.result('state::set', { ...at, value: before });
        const { old_value, new_value, errors } = (await worker.result('state::update', { ...at, ops: [operation] })) as Frame;
        const what = `${JSON.stringify(operation)} on ${JSON.stringify(before) ?? 'nothing'}`;
        same(old_value, before ?? null, `the old value of ${what}`);
        const [error] = (errors ?? []) as Frame[];
        const expected = after instanceof Fails ? [before, after.code] : [after, undefined];
        same([new_value, error?.code], expected, `the new value and the error of ${what}`);
        same(await worker.result('state::get', at), expected[0], `what is stored after ${what}`);
      };
      for (const [operation, kinds] of ROWS) for (const [kind, after] of Object.entries(kinds)) await apply(BEFORE[kind], operation, after);
      for (const [operation, after] of LEAVES)
        await apply(FIELDS, operation, after instanceof Fails ? after : { ...FIELDS, [String(operation.path)]: after });
    },
  },
];
