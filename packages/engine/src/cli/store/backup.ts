import { resolve } from 'node:path';
import { backUp } from '../../tools/backup.js';
import type { Command } from '../command/command.js';
import { CONFIG_OPTIONS } from '../command/config-option.js';
import { EXIT } from '../command/exit-codes.js';
import { JSON_OPTION, megabytes, runTool } from './carry.js';

export const backupCommand: Command = {
  name: 'backup',
  positionals: [{ name: 'DEST', description: 'a new or empty directory for the backup' }],
  options: { ...CONFIG_OPTIONS, ...JSON_OPTION },
  notes: [
    'The engine may run or not. The backup has streams and state of one moment: everything that was acknowledged before it, and nothing\n' +
      'after it. The command reads the whole backup again before it succeeds.',
  ],
  run: (input, context) =>
    runTool(input, context, async (config, onStep) => {
      const { directory, online, stores, takenAt, engine } = await backUp(config, resolve(context.cwd, input.words[0] ?? ''), onStep);
      const damaged = stores.reduce((sum, store) => sum + store.damaged, 0);
      return {
        exit: damaged === 0 ? EXIT.ok : EXIT.data,
        value: { directory, online, engine, taken_at: takenAt, stores },
        lines: [
          ...stores.map(({ name, items, groups, bytes }) => `${name}: ${items} items in ${groups} groups, ${megabytes(bytes)}`),
          ...(damaged > 0 ? [`${damaged} records were damaged already; run rivulet check on the directories of the engine`] : []),
          `backup ${input.words[0]} of ${takenAt}${online ? ', from the running engine' : ''}`,
        ],
      };
    }),
};
