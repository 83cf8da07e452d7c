import { cpSync, readFileSync } from 'node:fs';
import type { Job, ObservedCase } from './job.js';
import { observe } from './observe.js';
import { observeSalvage } from './observe-salvage.js';
import { WarmPreflight } from './warm-preflight.js';

// A process that opens damaged stores: `node observe-main.js JOB`. It prints one line for each store. Damage must not end it.
const [, , file = ''] = process.argv;
// oxlint-disable-next-line eslint/no-restricted-properties -- written by the parent process
const { cases, expected } = JSON.parse(readFileSync(file, 'utf8')) as Job;
const warm = new WarmPreflight();
for (const { directory, isComplete } of cases) {
  if (isComplete) cpSync(directory, `${directory}.complete`, { recursive: true, preserveTimestamps: true });
  const salvaged = await observeSalvage(directory, `${directory}.salvaged`, expected);
  const observed = await observe(directory, expected, (request) => warm.run(request));
  const complete = isComplete ? await observe(`${directory}.complete`, expected, 'child') : undefined;
  const result: ObservedCase = { observed, salvaged, ...(complete === undefined ? {} : { complete }) };
  // oxlint-disable-next-line eslint/no-restricted-properties -- plain data
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
warm.close();
