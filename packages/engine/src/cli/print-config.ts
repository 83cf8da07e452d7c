import { stringify } from 'yaml';
import { describeConfig } from '../config/loading/describe-config.js';
import { CONFIG_OPTIONS, type Command, withConfig } from './command.js';
import { EXIT } from './exit-codes.js';

/** Prints the effective configuration to stdout, in the form of a configuration file, and warnings to stderr. */
export const printConfigCommand: Command = {
  name: 'print-config',
  summary: 'print the effective configuration as YAML, or as JSON with --json',
  options: { ...CONFIG_OPTIONS, json: { type: 'boolean' } },
  run: (values, context) =>
    withConfig(values, context, (config) => {
      for (const warning of config.warnings) context.err(`warning: ${warning.message}\n`);
      const described = describeConfig(config);
      context.out(values.json === true ? `${JSON.stringify(described, null, 2)}\n` : stringify(described));
      return EXIT.ok;
    }),
};
