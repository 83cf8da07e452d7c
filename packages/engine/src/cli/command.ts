import type { ParseArgsConfig } from 'node:util';
import type { Config } from '../config/config.js';
import { ConfigError, describeProblem } from '../config/config-error.js';
import { loadConfig } from '../config/loading/load-config.js';
import { EXIT, type ExitCode } from './exit-codes.js';

/** The parts of a process that a command uses. Tests give their own. */
export interface CommandContext {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  out(text: string): void;
  err(text: string): void;
}

/** Options after the name of the command, as `node:util` parses them. */
export type OptionValues = Readonly<Record<string, string | boolean | undefined>>;

export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly options: NonNullable<ParseArgsConfig['options']>;
  run(values: OptionValues, context: CommandContext): Promise<ExitCode>;
}

/** Options of every command that reads the configuration. */
export const CONFIG_OPTIONS = {
  config: { type: 'string', short: 'c' },
  'lenient-config': { type: 'boolean' },
} as const satisfies Command['options'];

/**
 * Runs `use` with the configuration that the options name. If the configuration has problems, prints all of them and returns the exit code
 * for this.
 */
export async function withConfig(
  values: OptionValues,
  context: CommandContext,
  use: (config: Config) => ExitCode | Promise<ExitCode>,
): Promise<ExitCode> {
  const { config: file } = values;
  try {
    return await use(
      loadConfig({
        ...(typeof file === 'string' ? { file } : {}),
        cwd: context.cwd,
        env: context.env,
        lenient: values['lenient-config'] === true,
      }),
    );
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) context.err(`error: ${describeProblem(problem)}\n`);
    return EXIT.configuration;
  }
}
