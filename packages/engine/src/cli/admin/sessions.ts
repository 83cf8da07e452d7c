import type { Command } from '../command/command.js';
import { printAdminList, ROWS_OPTIONS } from './admin-rows.js';

export const sessionsCommand: Command = {
  name: 'sessions',
  options: ROWS_OPTIONS,
  run: (input, context) =>
    printAdminList(input, context, {
      path: 'sessions',
      name: 'sessions',
      columns: {
        SESSION: 'session_id',
        IDENTITY: 'identity',
        ADDRESS: 'address',
        TRANSPORT: 'transport',
        SUBSCRIPTIONS: 'subscriptions',
        LAG: 'lag',
        UNSENT: 'unsent_bytes',
      },
    }),
};
