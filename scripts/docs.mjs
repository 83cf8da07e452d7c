import './set-up/node-version.mjs';
import { join } from 'node:path';
import { buildSite, prepareSite, serveSite } from './docs/site.mjs';
import { fail, ROOT, SetupError, say } from './set-up/workspace.mjs';

// `npm run docs` serves the documentation site, and shows each change of a document at once. `npm run docs:build` builds it into
// site/dist. `npm run docs:measure` builds it and prints how fast its pages appear.

const [, , command = 'serve', ...args] = process.argv;
const target = join(ROOT, 'site/dist');

try {
  await prepareSite();
  if (command === 'serve') process.exitCode = await serveSite(args);
  else {
    const { code, output } = await buildSite(target);
    if (code !== 0) throw new SetupError(`the site could not be built:\n${output}`);
    say(`the site is in ${target}`);
    if (command === 'measure') {
      const { measureSite } = await import('./docs/measure.mjs');
      process.stdout.write(await measureSite(target));
    }
  }
} catch (error) {
  fail(error);
}
