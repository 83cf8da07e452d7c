import { inspectStoreDirectories } from '../../config/store-directories.js';
import type { Command } from '../command/command.js';
import { CONFIG_OPTIONS, withConfig } from '../command/config-option.js';
import { EXIT } from '../command/exit-codes.js';

/** Checks everything that `start` checks before it opens a port. */
export const checkConfigCommand: Command = {
  name: 'check-config',
  options: CONFIG_OPTIONS,
  run: (input, context) =>
    withConfig(input, context, (config) => {
      for (const note of config.notes) context.err(`note: ${note.message}\n`);
      for (const warning of [...config.warnings, ...inspectStoreDirectories(config)]) context.err(`warning: ${warning.message}\n`);
      context.out(`ok ${config.file ?? 'built-in defaults'}\n`);
      return EXIT.ok;
    }),
};
