import type { Config } from '../../config/config.js';
import { ConfigError, describeProblem } from '../../config/config-error.js';
import { loadConfig } from '../../config/loading/load-config.js';
import type { Command, CommandContext, CommandInput } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { CommandFailure, fail } from './failure.js';

/** Options of every command that reads the configuration. */
export const CONFIG_OPTIONS = {
  config: {
    type: 'value',
    value: 'FILE',
    short: 'c',
    description: 'configuration file; else rivulet.yaml, else iii-config.yaml, else config.yaml, else built-in defaults',
  },
  'lenient-config': { type: 'flag', description: 'unknown keys and unknown workers are warnings' },
} as const satisfies Command['options'];

/**
 * Runs `use` with the configuration that the options name, and with a function that reads it again. If the configuration has problems,
 * prints all of them and returns the exit code for this. With `--json` they are one error.
 */
export async function withConfig(
  input: CommandInput,
  context: CommandContext,
  use: (config: Config, readAgain: () => Config) => ExitCode | Promise<ExitCode>,
): Promise<ExitCode> {
  const file = input.value('config');
  const read = (name: string | undefined) =>
    loadConfig({
      ...(name === undefined ? {} : { file: name }),
      cwd: context.cwd,
      env: context.env,
      lenient: input.flag('lenient-config'),
    });
  try {
    const config = read(file);
    return await use(config, () => read(config.file));
  } catch (error) {
    if (!(error instanceof ConfigError)) return fail(error, context, input.flag('json'));
    if (input.flag('json')) return fail(new CommandFailure('INVALID_CONFIG', error.message, EXIT.configuration), context, true);
    for (const problem of error.problems) context.err(`error: ${describeProblem(problem)}\n`);
    return EXIT.configuration;
  }
}
