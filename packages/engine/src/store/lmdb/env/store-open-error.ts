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
