import { resolve } from 'node:path';
import { StoreOpenError } from '../../tools/check.js';
import { SalvageError, salvage } from '../../tools/salvage.js';
import type { Command } from '../command/command.js';
import { EXIT } from '../command/exit-codes.js';
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
    const directory = resolve(context.cwd, input.words[0] ?? '.');
    const to = input.value('to');
    if (to === undefined) {
      context.err('error: --to is missing: the directory of the new store\n');
      return EXIT.usage;
    }
    const target = resolve(context.cwd, to);
    try {
      const result = await salvage(directory, target);
      context.out(input.flag('json') ? `${JSON.stringify({ from: directory, to: target, ...result }, null, 2)}\n` : textOf(target, result));
      const { lostCount, damagedRecords, unnamedGroups, damagedPageCount, foreign } = result;
      return lostCount + damagedRecords + unnamedGroups + damagedPageCount + foreign === 0 ? EXIT.ok : EXIT.data;
    } catch (error) {
      if (!(error instanceof StoreOpenError || error instanceof SalvageError)) throw error;
      context.err(`error: ${error.message}\n`);
      return error instanceof StoreOpenError && error.code === 'STORE_UNAVAILABLE' ? EXIT.busy : EXIT.failed;
    }
  },
};

function textOf(target: string, result: Awaited<ReturnType<typeof salvage>>): string {
  const { groups, items, keys, lost, lostCount, damagedRecords, damagedPages, unnamedGroups, restoresTo, damagedPageCount } = result;
  const { unconfirmed, foreign } = result;
  const hidden = damagedPageCount - damagedPages.length;
  const lines = [
    `${target}: ${items} items in ${groups} groups, and ${keys} idempotency keys`,
    ...(restoresTo === undefined ? [] : [`  read as of ${restoresToText(restoresTo)}`]),
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
