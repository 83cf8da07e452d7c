import { resolve } from 'node:path';
import { RivuletError } from '@rivulet/protocol';
import { importIii } from '../../tools/iii/import-iii.js';
import { importFile } from '../../tools/import.js';
import type { Command, CommandInput } from '../command/command.js';
import { CONFIG_OPTIONS } from '../command/config-option.js';
import { EXIT } from '../command/exit-codes.js';
import { JSON_OPTION, runTool, type ToolResult } from './carry.js';

export const importCommand: Command = {
  name: 'import',
  positionals: [{ name: 'SRC', description: 'the file of an export; with --from iii a directory or redis://…' }],
  options: {
    ...CONFIG_OPTIONS,
    ...JSON_OPTION,
    from: { type: 'value', value: 'iii', description: 'SRC belongs to the original engine' },
    'keep-epoch': { type: 'flag', description: 'let clients resume; only when nothing was written after the export' },
    'lossy-numbers': { type: 'flag', description: 'with --from: take numbers that a double cannot hold, rounded' },
    stream: {
      type: 'value',
      value: 'NAME',
      multiple: true,
      description: 'with --from: the name of a stream that has colons, or whose groups have',
    },
    skip: { type: 'flag', description: 'with --from: leave out what cannot be kept' },
  },
  notes: [
    'The stores, which the configuration names, must be empty, and no engine may use them. Everything is checked before anything is\n' +
      'imported.',
  ],
  run: (input, context) =>
    runTool(input, context, async (config, onStep) => {
      const word = input.words[0] ?? '';
      const from = input.value('from');
      if (from === 'iii') {
        const source = /^rediss?:\/\//.test(word) ? word : resolve(context.cwd, word);
        return resultOf(await importIii(source, config, { ...iiiOptions(input), onStep }));
      }
      if (from !== undefined) throw new RivuletError('INVALID_ARGUMENTS', `--from ${from} is not known; the only engine is iii`);
      const { groups, items, stores } = await importFile(resolve(context.cwd, word), config, {
        keepEpoch: input.flag('keep-epoch'),
        onStep,
      });
      return { value: { groups, items, stores }, lines: [`imported ${items} items in ${groups} groups of ${stores.join(' and ')}`] };
    }),
};

function iiiOptions(input: CommandInput) {
  return { lossyNumbers: input.flag('lossy-numbers'), skip: input.flag('skip'), streams: input.values('stream') };
}

function resultOf({ imported, groups, items, stores, problems, problemCount }: Awaited<ReturnType<typeof importIii>>): ToolResult {
  const lines = problems.map(({ place, key, problem }) => `${place}${key === undefined ? '' : `, key ${JSON.stringify(key)}`}: ${problem}`);
  if (problemCount > problems.length) lines.push(`and ${problemCount - problems.length} more`);
  return {
    exit: imported ? EXIT.ok : EXIT.data,
    value: { imported, groups, items, stores, problems, problem_count: problemCount },
    lines: [
      ...lines,
      imported
        ? `imported ${items} items in ${groups} groups of ${stores.join(' and ')}`
        : `nothing was imported, because ${problemCount} places cannot be kept; correct them, or leave them out with --skip`,
    ],
  };
}
