/**
 * - `CORRUPT_STORE`: the files are damaged.
 * - `STORE_FORMAT_UNKNOWN`: another version has written the store, or its marker says nonsense.
 * - `STORE_UNAVAILABLE`: the directory is in use, full, or failed before.
 */
export type StoreOpenCode = 'CORRUPT_STORE' | 'STORE_FORMAT_UNKNOWN' | 'STORE_UNAVAILABLE';

/** The error for a directory that cannot be opened as a store. Its message names the file and says what to do. */
export class StoreOpenError extends Error {
  readonly code: StoreOpenCode;

  /** `code`: @default `STORE_UNAVAILABLE` */
  constructor(message: string, { code = 'STORE_UNAVAILABLE', ...options }: ErrorOptions & { readonly code?: StoreOpenCode } = {}) {
    super(message, options);
    this.name = 'StoreOpenError';
    this.code = code;
  }
}

/** Milliseconds within which lmdb reports the reason of a failed commit. */
const REASON_MS = 100;

/**
 * Resolves with the reason of a failed commit. `error` is the error of lmdb. lmdb reports the reason by a second promise and rejects a
 * third one, `committed`, which nobody awaits; unhandled, it would end the process. Call this function in the turn in which the commit
 * failed. Never rejects.
 */
export async function commitFailure(error: unknown, committed: PromiseLike<unknown>): Promise<unknown> {
  committed.then(undefined, () => {});
  if (!(error instanceof Error) || !('commitError' in error) || !(error.commitError instanceof Promise)) return error;
  const reason = error.commitError.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), REASON_MS);
  });
  const cause = await Promise.race([reason, late]);
  clearTimeout(timer);
  return cause ?? error;
}
