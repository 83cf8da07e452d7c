/** The parts of the LMDB store that a harness for damaged stores needs besides the store itself. */

export type { PreflightEnding } from '../store/lmdb/checking/preflight.js';
export { type PreflightReport, type PreflightRequest, runPreflight } from '../store/lmdb/checking/run-preflight.js';
export { PageFile } from '../store/lmdb/pages/page-file.js';
export { StoreTrees } from '../store/lmdb/pages/store-trees.js';
export { salvage } from './salvage.js';
