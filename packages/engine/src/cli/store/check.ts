import { resolve } from 'node:path';
import { type CheckedStore, checkStores, type Finding } from '../../tools/check.js';
import type { Command } from '../command/command.js';
import { EXIT } from '../command/exit-codes.js';
import { fail } from '../command/failure.js';

/** Checks stores on the disk, and prints what is wrong where. */
export const checkCommand: Command = {
  name: 'check',
  positionals: [{ name: 'DIR', description: 'the directory of a store, or one with several of them' }],
  options: { json: { type: 'flag', description: 'print one JSON value' } },
  notes: ['Stop the engine first. The command changes nothing. It exits with 65 when it finds damage.'],
  run: async (input, context) => {
    const json = input.flag('json');
    try {
      const stores = await checkStores(resolve(context.cwd, input.words[0] ?? '.'));
      const ok = stores.every(({ findings }) => findings.count === 0);
      if (json) context.out(`${JSON.stringify({ ok, stores: stores.map(jsonOf) }, null, 2)}\n`);
      else for (const store of stores) context.out(textOf(store));
      return ok ? EXIT.ok : EXIT.data;
    } catch (error) {
      return fail(error, context, json);
    }
  },
};

function jsonOf({ findings, ...store }: CheckedStore): object {
  return { ...store, verdict: verdictOf(findings), findings: findings.count, list: findings.list };
}

function verdictOf({ count, areBlocking }: CheckedStore['findings']): 'sound' | 'damaged' | 'refused' {
  if (count === 0) return 'sound';
  return areBlocking ? 'refused' : 'damaged';
}

const COSTS: Readonly<Record<CheckedStore['findings']['cost'], string>> = {
  records: 'Each damaged record costs its item only; write or delete the items.',
  counts: 'No item is wrong. To count a group anew, write to it once without its bound max_bytes.',
  nothing: 'No item is wrong, and reads ignore the records that were found.',
};

function textOf({ directory, findings, items, groups, pages, freePages, bytes, restoresTo, logged }: CheckedStore): string {
  const moment = restoresTo === undefined ? '' : `\n  checked as of ${restoresToText(restoresTo, logged)}`;
  const size = `${items} items in ${groups} groups; ${pages} pages, ${freePages} of them free; ${bytes} bytes${moment}`;
  if (findings.count === 0) return `${directory}: sound\n  ${size}\n`;
  const left = findings.count - findings.list.length;
  const lines = [
    `${directory}: ${findings.count} findings`,
    `  ${size}`,
    ...findings.list.map((finding) => `  ${lineOf(finding)}`),
    ...(left > 0 ? [`  and ${left} more`] : []),
    findings.areBlocking
      ? `  The engine does not start with this store. Restore a backup, or run: rivulet salvage ${directory} --to NEW`
      : `  The engine starts with this store. ${COSTS[findings.cost]}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** Says that the commands read a checkpoint. `logged`: the transactions of its log. */
export function restoresToText(savedAt: number, logged: number | undefined): string {
  const then = logged === undefined ? '' : `, and applies ${logged} transactions of the commit log`;
  return `the checkpoint of ${new Date(savedAt).toJSON()}: the machine has stopped since, so the next start goes back to it${then}`;
}

function lineOf({ table, page, stream, group, item, problem }: Finding): string {
  const names = Object.entries({ stream, group, item }).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]));
  const place = [`table ${table}`, ...(page === undefined ? [] : [`page ${page}`]), ...names].join(', ');
  return `${place}: ${problem}`;
}
