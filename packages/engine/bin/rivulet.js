#!/usr/bin/env node
// A file of its own, because npm links it before the first build.
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  process.stderr.write('rivulet: not built yet; run `npm run build` in the repository\n');
  process.exitCode = 1;
}
