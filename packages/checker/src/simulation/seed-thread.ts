/**
 * A thread that runs every n-th seed of a range and posts each result. Virtual time is global in a thread, so its seeds run one after the
 * other.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { runSeed } from './seed-result.js';

const { from, to, step } = workerData as { readonly from: number; readonly to: number; readonly step: number };
for (let seed = from; seed < to; seed += step) parentPort?.postMessage(await runSeed(seed));
