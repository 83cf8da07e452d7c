import type { Config } from '../../config/config.js';
import type { CommandContext, CommandInput } from '../command/command.js';
import { withConfig } from '../command/config-option.js';
import type { ExitCode } from '../command/exit-codes.js';
import { EXIT } from '../command/exit-codes.js';
import { fail } from '../command/failure.js';
import { InterruptedError, Interruption } from '../command/interruption.js';
import { Progress } from '../command/progress.js';

/** Option of every command that has a result for programs. */
export const JSON_OPTION = { json: { type: 'flag', description: 'print one JSON value on stdout' } } as const;

const MEGABYTE = 1_048_576;

export function megabytes(bytes: number): string {
  return `${(bytes / MEGABYTE).toFixed(1)} MiB`;
}

/** The result of a tool: a value for programs, and lines for people. */
export interface ToolResult {
  readonly value: Readonly<Record<string, unknown>>;
  readonly lines: readonly string[];
  /** @default 0 */
  readonly exit?: ExitCode;
}

/** Runs a tool on the stores of the configuration. Shows its progress, and prints its result or its error. */
export function runTool(
  input: CommandInput,
  context: CommandContext,
  run: (config: Config, onStep: (step: string, done: number, all: number) => void) => Promise<ToolResult>,
): Promise<ExitCode> {
  return withConfig(input, context, async (config) => {
    const progress = new Progress(context);
    const interruption = new Interruption();
    const json = input.flag('json');
    try {
      const {
        value,
        lines,
        exit = EXIT.ok,
      } = await run(config, (step, done, all) => {
        interruption.check();
        progress.report(() => (all > 0 ? `${step}: ${megabytes(done)} of ${megabytes(all)}` : step));
      });
      progress.end();
      context.out(json ? `${JSON.stringify({ ok: exit === EXIT.ok, ...value })}\n` : lines.map((line) => `${line}\n`).join(''));
      return exit;
    } catch (error) {
      progress.end();
      if (!(error instanceof InterruptedError)) return fail(error, context, json);
      context.err('error: interrupted; run the command again\n');
      interruption.raise();
      return EXIT.failed;
    } finally {
      interruption.end();
    }
  });
}
