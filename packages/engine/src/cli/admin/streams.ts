import type { Command } from '../command/command.js';
import { printAdminList, ROWS_OPTIONS } from './admin-rows.js';

export const streamsCommand: Command = {
  name: 'streams',
  options: ROWS_OPTIONS,
  run: (input, context) =>
    printAdminList(input, context, {
      path: 'streams',
      name: 'streams',
      columns: {
        STREAM: 'stream',
      },
    }),
};
