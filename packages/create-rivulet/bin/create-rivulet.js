#!/usr/bin/env node
// npm links this file before the first build, so it must not be a build result.
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  process.stderr.write('create-rivulet: not built yet; run `npm run build` in the repository\n');
  process.exitCode = 1;
}
