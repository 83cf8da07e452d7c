import { resolve } from 'node:path';
import { RivuletError } from '@rivulet/protocol';
import { salvage } from '../../tools/salvage.js';
import type { Command } from '../command/command.js';
import { EXIT } from '../command/exit-codes.js';
import { fail } from '../command/failure.js';
import { restoresToText } from './check.js';

/** Writes everything that can be read in a damaged store into a new one. */
export const salvageCommand: Command = {
  name: 'salvage',
  positionals: [{ name: 'DIR', description: 'the directory of one store' }],
  options: {
    to: { type: 'value', value: 'NEW', description: 'the directory of the new store, which must be empty or absent' },
    json: { type: 'flag', description: 'print one JSON value' },
  },
  notes: ['Stop the engine first. The command leaves DIR as it is. It exits with 65 when it lost anything.'],
  run: async (input, context) => {
    const json = input.flag('json');
    const directory = resolve(context.cwd, input.words[0] ?? '.');
    try {
      const to = input.value('to');
      if (to === undefined) throw new RivuletError('INVALID_ARGUMENTS', '--to is missing: name the directory of the new store');
      const target = resolve(context.cwd, to);
      const result = await salvage(directory, target);
      const { lostCount, damagedRecords, unnamedGroups, damagedPageCount, foreign } = result;
      const ok = lostCount + damagedRecords + unnamedGroups + damagedPageCount + foreign === 0;
      context.out(
        json
          ? `${JSON.stringify({ ok, from: directory, to: target, ...result }, null, 2)}
`
          : textOf(target, result),
      );
      return ok ? EXIT.ok : EXIT.data;
    } catch (error) {
      return fail(error, context, json);
    }
  },
};

function textOf(target: string, result: Awaited<ReturnType<typeof salvage>>): string {
  const { groups, items, keys, lost, lostCount, damagedRecords, damagedPages, unnamedGroups, restoresTo, damagedPageCount } = result;
  const { unconfirmed, foreign, logged } = result;
  const hidden = damagedPageCount - damagedPages.length;
  const lines = [
    `${target}: ${items} items in ${groups} groups, and ${keys} idempotency keys`,
    ...(restoresTo === undefined ? [] : [`  read as of ${restoresToText(restoresTo, logged)}`]),
    ...damagedPages.map(({ table, page, problem }) => `  ${page === undefined ? table : `page ${page} of ${table}`}: ${problem}`),
    ...(hidden > 0 ? [`  and ${hidden} more damaged pages`] : []),
    ...(damagedRecords > 0 ? [`  ${damagedRecords} records fail their checksum`] : []),
    ...(unnamedGroups > 0 ? [`  ${unnamedGroups} groups have lost their names; they are in the stream "salvaged"`] : []),
    ...(unconfirmed > 0 ? [`  ${unconfirmed} items may have an older value, because nothing says which change was their last one`] : []),
    ...(foreign > 0 ? [`  ${foreign} records of items were left out, because they are of another store or of an earlier moment`] : []),
    ...lost.map(({ stream, group, item }) => `  lost: stream ${stream}, group ${group}, item ${item}`),
    ...(lostCount > lost.length ? [`  and ${lostCount - lost.length} more lost items`] : []),
    lostCount === 0
      ? `  no item that is known is lost${damagedPages.length > 0 ? '; damaged pages may have had others' : ''}`
      : `  ${lostCount} items are lost`,
  ];
  return `${lines.join('\n')}\n`;
}
