/** Exit codes of the command. They have the same numbers as those of `rivulet`. */
export const EXIT = { ok: 0, failed: 1, usage: 64 } as const;

/** Failures of the command by their codes, with the exit code of each. README.md has the same rows, and a test compares both. */
export const FAILURES = {
  INVALID_ARGUMENTS: EXIT.usage,
  DIRECTORY_MISSING: EXIT.usage,
  UNKNOWN_TEMPLATE: EXIT.usage,
  INVALID_NAME: EXIT.usage,
  NOT_EMPTY: EXIT.failed,
  PACKAGE_NOT_FOUND: EXIT.failed,
  WRITE_FAILED: EXIT.failed,
  CANCELLED: EXIT.failed,
} as const;

export type FailureCode = keyof typeof FAILURES;

/** A failure with a sentence for the user. Any other error is a bug of this program. */
export class CreateFailure extends Error {
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
