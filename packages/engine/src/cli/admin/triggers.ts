import type { Command } from '../command/command.js';
import { printAdminList, ROWS_OPTIONS } from './admin-rows.js';

export const triggersCommand: Command = {
  name: 'triggers',
  options: ROWS_OPTIONS,
  run: (input, context) =>
    printAdminList(input, context, {
      path: 'triggers',
      name: 'triggers',
      columns: {
        TYPE: 'trigger_type',
        FUNCTION: 'function_id',
        NAMESPACE: 'namespace',
        WORKER: 'worker_name',
        STATE: 'state',
        CONFIG: 'config_summary',
      },
    }),
};
