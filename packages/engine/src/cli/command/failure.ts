import { ERROR_CODES, ERROR_DOCS, PEER_ERROR_CODES, RivuletError } from '@rivulet/protocol';
import { printable } from '../../logging/printable.js';
import type { CommandContext } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';

/** Exit codes of error codes. All other errors have the exit code 1. */
const EXIT_OF_ERROR: Readonly<Partial<Record<RivuletError['code'], ExitCode>>> = {
  INVALID_ARGUMENTS: EXIT.usage,
  BACKUP_INCOMPLETE: EXIT.data,
  BACKUP_DAMAGED: EXIT.data,
  CORRUPT_ITEM: EXIT.data,
  CORRUPT_STORE: EXIT.data,
  RESTORE_UNFINISHED: EXIT.data,
  STORE_FORMAT_UNKNOWN: EXIT.data,
  IMPORT_REFUSED: EXIT.data,
  CONTROL_FAILED: EXIT.unreachable,
  STORE_UNAVAILABLE: EXIT.unreachable,
  DIRECTORY_IN_USE: EXIT.busy,
  OVERLOADED: EXIT.busy,
};

/** The end of a command without a result. `code` is for programs, the message says what to do. */
export class CommandFailure extends Error {
  readonly code: string;
  readonly exit: ExitCode;

  constructor(code: string, message: string, exit: ExitCode) {
    super(message);
    this.name = 'CommandFailure';
    this.code = code;
    this.exit = exit;
  }
}

/** Errors of the operating system that the operator can mend. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  EACCES: 'run the command as the user of the engine, or name another path',
  EPERM: 'run the command as the user of the engine, or name another path',
  ENOENT: 'name a path that exists',
  ENOTDIR: 'name a directory',
  EISDIR: 'name a file',
  ELOOP: 'correct the symbolic link',
  EEXIST: 'name a new path',
  ENOSPC: 'give the disk room, or name a path on another disk',
  EDQUOT: 'give the disk room, or name a path on another disk',
  EROFS: 'name a path on a disk that can be written',
};

/** The error of a command as it is printed, and the exit code of the command. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exit: ExitCode;
}

/**
 * Prints an error that a command expects, as a line on stderr or as JSON on stdout, and returns its exit code. Throws every other error
 * again.
 */
export function fail(error: unknown, context: Pick<CommandContext, 'out' | 'err'>, json: boolean): ExitCode {
  const { code, message, exit } = failureOf(error);
  if (json) context.out(`${JSON.stringify({ ok: false, error: { code, message } })}\n`);
  else context.err(errorLines(code, message, exit));
  return exit;
}

/** Returns the lines that tell a person of an error: what happened, and where the docs explain its code. */
export function errorLines(code: string, message: string, exit: ExitCode = EXIT.failed): string {
  // The message about a wrong word says all.
  const help =
    exit !== EXIT.usage && (Object.hasOwn(ERROR_CODES, code) || PEER_ERROR_CODES.includes(code)) ? `see ${ERROR_DOCS}${code}\n` : '';
  return `error: ${printable(message)} (${printable(code)})\n${help}`;
}

/** Returns the failure of an error that a command expects. Throws every other error again. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CommandFailure) return { code: error.code, message: error.message, exit: error.exit };
  if (error instanceof RivuletError) return { ...error.toBody(), exit: EXIT_OF_ERROR[error.code] ?? EXIT.failed };
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') throw error;
  const remedy = SYSTEM_ERRORS[error.code];
  if (remedy === undefined) throw error;
  return { code: error.code, message: `${error.message}; ${remedy}`, exit: EXIT.failed };
}
