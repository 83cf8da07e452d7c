import { RivuletError } from '@rivulet/protocol';
import type { CommandContext } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';

/** Exit codes of error codes. All other errors have the exit code 1. */
const EXIT_OF_ERROR: Readonly<Partial<Record<RivuletError['code'], ExitCode>>> = {
  INVALID_ARGUMENTS: EXIT.usage,
  BACKUP_INCOMPLETE: EXIT.data,
  BACKUP_DAMAGED: EXIT.data,
  CORRUPT_ITEM: EXIT.data,
  CORRUPT_STORE: EXIT.data,
  IMPORT_REFUSED: EXIT.data,
  CONTROL_FAILED: EXIT.unreachable,
  DIRECTORY_IN_USE: EXIT.busy,
  OVERLOADED: EXIT.busy,
};

/** Errors of the operating system that the operator can mend. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  EACCES: 'run the command as the user of the engine, or name another path',
  EPERM: 'run the command as the user of the engine, or name another path',
  ENOENT: 'name a path that exists',
  ENOTDIR: 'name a directory',
  EISDIR: 'name a file',
  EEXIST: 'name a new path',
  ENOSPC: 'give the disk room, or name a path on another disk',
  EDQUOT: 'give the disk room, or name a path on another disk',
  EROFS: 'name a path on a disk that can be written',
};

/**
 * Prints an error that a command expects, as a line on stderr or as JSON on stdout, and returns its exit code. Throws every other error
 * again.
 */
export function fail(error: unknown, context: CommandContext, json: boolean): ExitCode {
  const known = describe(error);
  if (known === undefined) throw error;
  if (json) context.out(`${JSON.stringify({ ok: false, error: known })}\n`);
  else context.err(`error: ${known.message} (${known.code})\n`);
  return error instanceof RivuletError ? (EXIT_OF_ERROR[error.code] ?? EXIT.failed) : EXIT.failed;
}

function describe(error: unknown): { readonly code: string; readonly message: string } | undefined {
  if (error instanceof RivuletError) return error.toBody();
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  const remedy = SYSTEM_ERRORS[error.code];
  return remedy === undefined ? undefined : { code: error.code, message: `${error.message}; ${remedy}` };
}
