import { readMetaPages } from '../pages/meta-pages.js';

/** One moment of a data file, which stays readable until `release`. */
export interface Capture {
  readonly storeId: string;
  /** The meta pages, which are at the begin of the file. */
  readonly metaPages: Buffer;
  /** Bytes up to the last page of this moment. */
  readonly usedBytes: number;
  /** Identifies the file on this machine. */
  readonly inode: number;
  readonly release: () => void;
}

/** Returns the moment that a view shows. No transaction may be in flight. A failure ends the view. */
export function captureFile(file: string, storeId: string, view: { done(): void }): Capture {
  try {
    const pages = readMetaPages(file);
    if (pages === undefined) throw new Error('the layout of the data file is not known');
    return { ...pages, storeId, release: () => view.done() };
  } catch (error) {
    view.done();
    throw error;
  }
}
