/** A thread that runs every so-manieth seed of a range and posts what came of each. Time is global to a thread, so seeds run one by one. */
import { parentPort, workerData } from 'node:worker_threads';
import { runSeed } from './seed-result.js';

const { from, to, step } = workerData as { readonly from: number; readonly to: number; readonly step: number };
for (let seed = from; seed < to; seed += step) parentPort?.postMessage(await runSeed(seed));
