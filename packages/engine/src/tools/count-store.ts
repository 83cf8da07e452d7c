import { RivuletError } from '@rivulet/protocol';
import { checkDirectory } from '../store/lmdb/checking/check-directory.js';

export interface StoreCounts {
  readonly groups: number;
  readonly items: number;
  /** Damaged records. Each costs its item only. */
  readonly damaged: number;
}

/** Reads each page and record of a store that no engine uses. Throws CORRUPT_STORE when an engine would not start with it. */
export function countStore(directory: string): StoreCounts {
  const { groups, items, findings } = checkDirectory(directory);
  if (!findings.areBlocking) return { groups, items, damaged: findings.count };
  const [first] = findings.list;
  const message = `${directory} is damaged (table ${first?.table}: ${first?.problem}); run rivulet check on the directory of the engine`;
  throw new RivuletError('CORRUPT_STORE', message);
}
