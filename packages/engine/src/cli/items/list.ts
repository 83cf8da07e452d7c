import { isJsonObject } from '@rivulet/protocol';
import type { Command, CommandInput } from '../command/command.js';
import { readCount } from '../command/numbers.js';
import { printRows, type Row } from '../command/rows.js';
import { ENGINE_OPTIONS, type EngineCalls, withEngine } from './engine-connection.js';
import { GROUP_WORDS, objectOf } from './item-words.js';

/** Items of one call. The engine ends a page earlier when it is as large as a message may be. */
const PAGE_ITEMS = 200;

export const listCommand: Command = {
  name: 'list',
  positionals: GROUP_WORDS,
  options: {
    ...ENGINE_OPTIONS,
    limit: { type: 'value', value: 'NUMBER', description: 'the most items; else all' },
    after: { type: 'value', value: 'ITEM', description: 'begin after this item' },
  },
  notes: ['The order is that of creation. A long group is read page by page, so changes during the command may be in it or not.'],
  run: (input, context) =>
    withEngine(input, context, (engine) =>
      printRows(context, { json: input.flag('json'), name: 'items', columns: ['ITEM', 'VERSION', 'VALUE'] }, pagesOf(input, engine)),
    ),
};

async function* pagesOf(input: CommandInput, { call }: EngineCalls): AsyncGenerator<readonly Row[]> {
  const [stream_name, group_id] = input.words;
  let rest = readCount(input, 'limit');
  let after = input.value('after');
  do {
    const limit = Math.min(PAGE_ITEMS, rest);
    const page = objectOf(await call('stream::list', { stream_name, group_id, limit, after, with_next: true, with_versions: true }));
    const items = Array.isArray(page.items) ? page.items.filter(isJsonObject) : [];
    yield items.map((item) => ({ value: item, cells: [String(item.id), String(item.version), JSON.stringify(item.data)] }));
    rest -= items.length;
    after = typeof page.next === 'string' ? page.next : undefined;
  } while (after !== undefined && rest > 0);
}
