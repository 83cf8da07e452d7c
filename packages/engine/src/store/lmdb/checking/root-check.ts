import { join } from 'node:path';
import { DATA_FILE } from '../env/store-marker.js';
import { PageFile } from '../pages/page-file.js';
import { metaProblems, StoreTrees } from '../pages/store-trees.js';
import { Findings } from './findings.js';

/** Checks the meta pages, and in each tree the pages on the way to its first entry. It takes some milliseconds for a store of any size. */
export function checkRoots(directory: string): Findings {
  const findings = new Findings();
  const file = new PageFile(join(directory, DATA_FILE));
  try {
    for (const { page, problem } of metaProblems(file)) findings.add({ kind: 'page', table: 'meta page', page, problem });
    const { newest } = file;
    if (newest === undefined || findings.count > 0) return findings;
    const trees = new StoreTrees(file, newest, (table, page, problem) => findings.add({ kind: 'page', table, page, problem }));
    for (const [table, tree] of trees.tables()) trees.read(table, tree).next();
    trees.readFreeList().next();
    return findings;
  } finally {
    file.close();
  }
}
