import { inspectStoreDirectories } from '../config/store-directories.js';
import { CONFIG_OPTIONS, type Command, withConfig } from './command.js';
import { EXIT } from './exit-codes.js';

/** Checks everything that `start` checks before it opens a port. */
export const checkConfigCommand: Command = {
  name: 'check-config',
  summary: 'check the configuration and print warnings',
  options: CONFIG_OPTIONS,
  run: (values, context) =>
    withConfig(values, context, (config) => {
      for (const note of config.notes) context.err(`note: ${note.message}\n`);
      for (const warning of [...config.warnings, ...inspectStoreDirectories(config)]) context.err(`warning: ${warning.message}\n`);
      context.out(`ok ${config.file ?? 'built-in defaults'}\n`);
      return EXIT.ok;
    }),
};
