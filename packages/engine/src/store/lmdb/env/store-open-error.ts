/**
 * - `CORRUPT_STORE`: the files are damaged.
 * - `RESTORE_UNFINISHED`: a command has begun to build the store and did not end.
 * - `STORE_FORMAT_UNKNOWN`: another version has written the store, or its marker says nonsense.
 * - `STORE_UNAVAILABLE`: the directory is in use, full, or failed before.
 */
export type StoreOpenCode = 'CORRUPT_STORE' | 'RESTORE_UNFINISHED' | 'STORE_FORMAT_UNKNOWN' | 'STORE_UNAVAILABLE';

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

/** Errors of the operating system that the operator can mend. A directory of a store has only files, and sockets of its lock. */
const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: 'let the user that runs the engine read and write the directory and its files',
  EPERM: 'let the user that runs the engine read and write the directory and its files',
  ENOENT: 'a part of the path is missing and cannot be created; choose another directory',
  EEXIST: 'a link leads to nothing; remove it',
  EROFS: 'mount the file system so that it can be written',
  EISDIR: 'a directory has the name of a file of the store; move it away',
  ERR_FS_EISDIR: 'a directory has the name of a file of the store; move it away',
  ENOTDIR: 'a file has the name of a directory; move it away',
  ELOOP: 'a link leads to itself; remove it',
  ENXIO: 'something that is no file has the name of a file of the store; move it away',
  ENAMETOOLONG: 'give the directory a shorter path',
  EMFILE: 'raise the limit of open files of the process',
  ENFILE: 'raise the limit of open files of the machine',
  EIO: 'the disk fails; look at the log of the kernel, and restore a backup on another disk',
};

/** Returns the error of a start for an error of the operating system, which says what to do. Other errors stay as they are. */
export function openFailure(directory: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof StoreOpenError || !('code' in error)) return error;
  const remedy = REMEDIES[String(error.code)];
  if (remedy === undefined) return error;
  return new StoreOpenError(`the store in ${directory} cannot be opened (${error.message}); ${remedy}`, { cause: error });
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

/**
 * Keeps a transaction that met a damaged page from ending the process. lmdb aborts the child transaction, which LMDB has ended already. The
 * abort then throws inside a promise that nobody awaits. With this guard, the commit fails instead, and its caller gets the error.
 */
export function guardAbort(root: object): void {
  const { env } = root as { readonly env?: { readonly abortTxn?: () => void } };
  const abort = env?.abortTxn?.bind(env);
  if (env === undefined || abort === undefined) throw new Error('lmdb has no abortTxn, which must not throw');
  const value = () => {
    try {
      abort();
    } catch {
      // The transaction has ended. Its commit fails.
    }
  };
  Object.defineProperty(env, 'abortTxn', { value });
}
