import { resolve } from 'node:path';
import { restore } from '../../tools/restore.js';
import type { Command } from '../command/command.js';
import { CONFIG_OPTIONS } from '../command/config-option.js';
import { JSON_OPTION, runTool } from './carry.js';

export const restoreCommand: Command = {
  name: 'restore',
  positionals: [{ name: 'SRC', description: 'the directory of a backup' }],
  options: {
    ...CONFIG_OPTIONS,
    ...JSON_OPTION,
    'keep-epoch': { type: 'flag', description: 'let clients resume; only when nothing was written after the backup' },
  },
  notes: [
    'The directories of the stores, which the configuration names, must be new or empty. The stores get a new epoch, so every client that\n' +
      'comes back gets a new snapshot.',
  ],
  run: (input, context) =>
    runTool(input, context, async (config, onStep) => {
      const source = resolve(context.cwd, input.words[0] ?? '');
      const { stores, directories, takenAt, engine } = await restore(source, config, { keepEpoch: input.flag('keep-epoch'), onStep });
      return {
        value: { source, engine, taken_at: takenAt, stores, directories },
        lines: [
          ...stores.map(({ name, items, groups }) => `${name}: ${items} items in ${groups} groups`),
          `restored the backup of ${takenAt}; start the engine`,
        ],
      };
    }),
};
