import type { Command } from '../command/command.js';
import { printAdminList, ROWS_OPTIONS } from './admin-rows.js';

export const functionsCommand: Command = {
  name: 'functions',
  options: ROWS_OPTIONS,
  run: (input, context) =>
    printAdminList(input, context, {
      path: 'functions',
      name: 'functions',
      columns: {
        FUNCTION: 'function_id',
        NAMESPACE: 'namespace',
        WORKER: 'worker_name',
        DESCRIPTION: 'description',
      },
    }),
};
