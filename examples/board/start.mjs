// Installs and builds what is missing, and starts the board. `npm start` runs it.
import { ensureBuilt, ensureInstalled, fail, ROOT, START_PROJECTS } from '../../scripts/set-up/workspace.mjs';

await ensureInstalled(ROOT).catch(fail);
await ensureBuilt(ROOT, START_PROJECTS).catch(fail);
await import('./board.mjs');
