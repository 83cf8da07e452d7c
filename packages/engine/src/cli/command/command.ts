import type { Readable } from 'node:stream';
import type { ExitCode } from './exit-codes.js';

/**
 * A command of the command line. Each command is one file, in the folder of its area, and one row of the table in `commands.ts`.
 *
 * `main.ts` finds the row, loads the file, reads the words by `read-words.ts`, and calls `run`. A command writes its result to `out` and
 * everything else to `err`. It returns its exit code; a thrown `RivuletError` becomes an error line by `failure.ts`.
 */
export interface Command {
  readonly name: string;
  /** Words without a dash, in their order. Optional ones stand at the end. @default none */
  readonly positionals?: readonly Positional[];
  /** Options by their long names. */
  readonly options: Readonly<Record<string, Option>>;
  /** Paragraphs for `--help`, below the options. @default none */
  readonly notes?: readonly string[];
  /**
   * Whether the process ends although its output was not read. Otherwise a slow reader gets everything first.
   * @default false
   */
  readonly leavesOutput?: boolean;
  run(input: CommandInput, context: CommandContext): Promise<ExitCode>;
}

export interface Positional {
  /** The name in the usage text, in capitals. */
  readonly name: string;
  readonly description: string;
  /** @default false */
  readonly optional?: boolean;
  /**
   * Whether it stands for any number of words. Only the last positional may.
   * @default false
   */
  readonly variadic?: boolean;
}

export type Option =
  | { readonly type: 'flag'; readonly short?: string; readonly description: string }
  /** `value` is the name of the value in the usage text. `multiple` allows the option more than once. */
  | {
      readonly type: 'value';
      readonly value: string;
      readonly short?: string;
      readonly multiple?: boolean;
      readonly description: string;
    };

/** The words after the name of a command. */
export interface CommandInput {
  /** The positionals that were given. The required ones are always there. */
  readonly words: readonly string[];
  /** Returns whether a flag was given. */
  flag(name: string): boolean;
  /** Returns the value of an option, the last one if it was given more than once. */
  value(name: string): string | undefined;
  /** Returns all values of an option. */
  values(name: string): readonly string[];
}

/** The parts of a process that a command uses. Tests give their own. */
export interface CommandContext {
  /**
   * Aborts when nobody reads the output any more, because its pipe is closed. A command that writes on and on returns then.
   * @default never
   */
  readonly outputClosed?: AbortSignal;
  /**
   * The output that nobody has read yet. A command with a long output waits for it, or ends when it grows.
   * @default output that is read at once
   */
  readonly unread?: UnreadOutput;
  /**
   * The width of the terminal to which `out` writes. Without one, rows are not cut.
   * @default none
   */
  readonly columns?: number;
  /**
   * The input of the process.
   * @default none
   */
  readonly stdin?: Readable & { readonly isTTY?: boolean };
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether `err` writes to a terminal. Only then does a command show its progress. */
  readonly isTerminal: boolean;
  out(text: string): void;
  err(text: string): void;
}

export interface UnreadOutput {
  /** The characters that wait in this process. */
  readonly length: number;
  /** Resolves when no output waits any more, when nobody will read it, or after `leave`. */
  taken(): Promise<void>;
  /** Ends the wait of `taken`, now and later, because the operator wants the process to end. */
  leave(): void;
}
