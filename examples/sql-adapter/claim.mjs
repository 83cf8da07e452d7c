import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Files that this very process has claimed: a restarted container often gets the process id that the dead one had. */
const held = new Set();

/**
 * Makes this process the only one that uses the database. `node-sqlite3-wasm` locks it with a directory that outlives a killed process;
 * whose it was is only known if somebody wrote that down. Throws when another living process has it.
 * @param {string} file
 * @returns {() => void} gives it back
 */
export function claim(file) {
  const owner = `${file}.pid`;
  if (held.has(file)) throw new Error(`${file} is in use by this process already; give each adapter a file of its own`);
  if (!created(owner)) {
    takeFromTheDead(file, owner);
    if (!created(owner)) throw inUse(file, readFileSync(owner, 'utf8'));
  }
  held.add(file);
  rmSync(`${file}.lock`, { recursive: true, force: true });
  return () => {
    held.delete(file);
    rmSync(owner, { force: true });
  };
}

/** @param {string} owner */
function created(owner) {
  const draft = `${owner}.${process.pid}`;
  writeFileSync(draft, String(process.pid));
  try {
    // It appears with its content: an empty one would look like that of a dead process.
    linkSync(draft, owner);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft);
  }
}

/**
 * @param {string} file
 * @param {string} owner
 */
function takeFromTheDead(file, owner) {
  if (lives(readFileSync(owner, 'utf8'))) throw inUse(file, readFileSync(owner, 'utf8'));
  // Another process may do the same at this moment and be first: what was moved aside tells.
  const aside = `${owner}.${process.pid}`;
  renameSync(owner, aside);
  const pid = readFileSync(aside, 'utf8');
  if (lives(pid)) linkSync(aside, owner);
  rmSync(aside);
  if (lives(pid)) throw inUse(file, pid);
}

/** @param {string} pid */
function lives(pid) {
  const number = Number(pid);
  if (!Number.isSafeInteger(number) || number <= 0 || number === process.pid) return false;
  try {
    process.kill(number, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/**
 * @param {string} file
 * @param {string} pid
 */
function inUse(file, pid) {
  return new Error(`${file} is in use by process ${pid}; stop it, or remove ${file}.pid if that process is something else`);
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
