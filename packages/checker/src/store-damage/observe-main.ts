import { readFileSync } from 'node:fs';
import type { Job } from './campaign.js';
import { observe } from './observe.js';

// A process that opens damaged stores: `node observe-main.js JOB`. It prints one line for each store. Damage must not end it.
const [, , file = ''] = process.argv;
const { cases, expected } = JSON.parse(readFileSync(file, 'utf8')) as Job;
for (const directory of cases) {
  process.stdout.write(`${JSON.stringify(await observe(directory, expected))}\n`);
}
