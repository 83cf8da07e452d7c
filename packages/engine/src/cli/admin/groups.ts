import { percentEncode } from '@rivulet/protocol';
import type { Command } from '../command/command.js';
import { printAdminList, ROWS_OPTIONS } from './admin-rows.js';

export const groupsCommand: Command = {
  name: 'groups',
  positionals: [{ name: 'STREAM', description: 'the name of the stream' }],
  options: ROWS_OPTIONS,
  run: (input, context) =>
    printAdminList(input, context, {
      path: `streams/${percentEncode(input.words[0] ?? '')}/groups`,
      name: 'groups',
      columns: {
        GROUP: 'group',
        SUBSCRIPTIONS: 'subscriptions',
        'LOG CHANGES': 'log_changes',
        'LOG BYTES': 'log_bytes',
      },
    }),
};
