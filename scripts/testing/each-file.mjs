import { readFileSync } from 'node:fs';
import { afterAll, vi } from 'vitest';

// A set-up file of vitest, which runs before each test file. After the file it undoes fake timers and mocks, because unit test files share
// a process. It also records the processor time of the file for the table of the heaviest files. That time includes the processes that the
// file has started and awaited.

/** Index of the field `utime` of /proc/self/stat after the name of the program. `stime`, `cutime` and `cstime` follow it. */
const FIRST_TIME = 11;
const TICKS_PER_SECOND = 100;

/** @returns {number} processor seconds of this process and of its ended children */
function processorSeconds() {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields.slice(FIRST_TIME, FIRST_TIME + 4).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND;
  } catch {
    // Other systems have no such file. The children are not counted there.
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }
}

/** A worker process keeps its processor time at the end of its last test file here. */
const worker = /** @type {{ rivuletSecondsBefore?: number }} */ (globalThis);

// vitest gives the suite as the second argument, and refuses a first one that is not destructured.
// oxlint-disable-next-line no-empty-pattern
afterAll(({}, { file }) => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  const now = processorSeconds();
  Object.assign(file.meta, { processorSeconds: now - (worker.rivuletSecondsBefore ?? 0) });
  worker.rivuletSecondsBefore = now;
});
