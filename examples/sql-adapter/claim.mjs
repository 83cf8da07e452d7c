import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Files that this process has claimed. The pid alone is no proof: a restarted container often has the pid of the dead one. */
const held = new Set();

/**
 * Makes this process the only one that uses the database. `node-sqlite3-wasm` locks a database by a directory that remains after a kill,
 * and does not record its owner. So this file records the owner. Throws when another living process has the database.
 * @param {string} file
 * @returns {() => void} releases the database
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
    // The file appears together with its content. An empty file would look like that of a dead process.
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
  // Another process may do the same at this moment and be first; the content of the moved file shows it.
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
