import { resolve } from 'node:path';
import { exportStores } from '../../tools/export.js';
import { ADMIN_OPTIONS, adminApi } from '../admin/admin-api.js';
import type { Command } from '../command/command.js';
import { CONFIG_OPTIONS } from '../command/config-option.js';
import { JSON_OPTION, megabytes, runTool } from './carry.js';

export const exportCommand: Command = {
  name: 'export',
  positionals: [{ name: 'FILE', description: 'a new file for the items, one JSON object in each line' }],
  options: {
    ...CONFIG_OPTIONS,
    ...JSON_OPTION,
    'admin-url': {
      type: 'value',
      value: 'URL',
      description: 'admin listener of the running engine, for stores in memory; else RIVULET_ADMIN_URL, else they are left out',
    },
    timeout: ADMIN_OPTIONS.timeout,
    backup: { type: 'value', value: 'DIR', description: 'export this backup in place of the stores' },
    temporary: {
      type: 'value',
      value: 'DIR',
      description: 'where the copies of stores and backups go; else the temporary directory of the system',
    },
  },
  notes: [
    'The engine may run or not. Stores in directories are exported as of one moment, by way of a copy. Stores in memory need the running\n' +
      'engine and its full token; each group is of one moment.',
  ],
  run: (input, context) =>
    runTool(input, context, async (config, onStep) => {
      const path = (word: string | undefined) => (word === undefined ? undefined : resolve(context.cwd, word));
      const file = resolve(context.cwd, input.words[0] ?? '');
      const names = input.value('admin-url') ?? context.env.RIVULET_ADMIN_URL;
      const live = names === undefined ? undefined : (store: string) => adminApi(input, context).pieces(`stores/${store}/export`);
      const options = { backup: path(input.value('backup')), temporary: path(input.value('temporary')), live, onStep };
      const { groups, items, bytes, stores, leftOut } = await exportStores(config, file, options);
      return {
        value: { file, groups, items, bytes, stores, left_out: leftOut },
        lines: [
          ...leftOut.map(
            (name) => `${name}: left out, because it is in memory or in an adapter of yours; --admin-url exports one in memory`,
          ),
          `exported ${items} items in ${groups} groups of ${stores.join(' and ')}, ${megabytes(bytes)}`,
        ],
      };
    }),
};
