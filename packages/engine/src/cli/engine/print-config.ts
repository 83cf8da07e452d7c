import { stringify } from 'yaml';
import { describeConfig } from '../../config/loading/describe-config.js';
import type { Command } from '../command/command.js';
import { CONFIG_OPTIONS, withConfig } from '../command/config-option.js';
import { EXIT } from '../command/exit-codes.js';

/** Prints the effective configuration to stdout, in the form of a configuration file, and warnings to stderr. */
export const printConfigCommand: Command = {
  name: 'print-config',
  options: { ...CONFIG_OPTIONS, json: { type: 'flag', description: 'print JSON' } },
  run: (input, context) =>
    withConfig(input, context, (config) => {
      for (const warning of config.warnings) context.err(`warning: ${warning.message}\n`);
      const described = describeConfig(config);
      context.out(input.flag('json') ? `${JSON.stringify(described, null, 2)}\n` : stringify(described));
      return EXIT.ok;
    }),
};
