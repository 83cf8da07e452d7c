import './set-up/node-version.mjs';
import { ALL_PROJECTS, ensureBuilt, fail, ROOT } from './set-up/workspace.mjs';

// Runs `npm run build [-- PROJECT…]`: compiles the named projects, by default all, and bundles the engine if it is one of them.
const projects = process.argv.slice(2);
try {
  await ensureBuilt(ROOT, projects.length > 0 ? projects : ALL_PROJECTS);
} catch (error) {
  fail(error);
}
