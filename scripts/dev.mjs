import './set-up/node-version.mjs';
import { join } from 'node:path';
import { Restarter } from './development/restarter.mjs';
import { ensureBuilt, ensureInstalled, fail, ROOT, runTool, START_PROJECTS, say } from './set-up/workspace.mjs';

// Runs `npm run dev [-- --config FILE]`, which runs the engine from its sources. After a change below packages/protocol/src or
// packages/engine/src it builds, stops the engine in order and starts it again.

try {
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, START_PROJECTS);
} catch (error) {
  fail(error);
}

const projects = ['packages/protocol', 'packages/engine'];
const restarter = new Restarter({
  folders: projects.map((project) => join(ROOT, project, 'src')),
  build: async () => (await runTool(ROOT, 'typescript/bin/tsc', ['-b', ...projects])) === 0,
  args: [join(ROOT, 'packages/engine/dist/cli/main.js'), 'start', ...process.argv.slice(2)],
  say,
});

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
  process.once(signal, () => {
    restarter.end(signal).then(
      (code) => process.exit(code),
      (error) => {
        say(String(error));
        process.exit(1);
      },
    );
  });
restarter.start();
