import { statSync } from 'node:fs';
import { join } from 'node:path';
import { pendingRestore, restoredLog } from '../env/prepare-directory.js';
import { DATA_FILE, readMarker, requireData, requireFiles } from '../env/store-marker.js';
import { StoreOpenError } from '../env/store-open-error.js';
import { checkStore, type StoreCheck } from './check-store.js';
import { Findings } from './findings.js';
import { ownerProblem } from './store-owner.js';

/**
 * Checks the marker and the data file of a directory, as the next start finds them. After a power cut, a relaxed store goes back to its
 * checkpoint, and a durable one applies its commit log to that. The caller has the lock of the directory.
 */
export function checkDirectory(directory: string): StoreCheck {
  const marker = markerProblem(directory);
  if (statSync(join(directory, DATA_FILE), { throwIfNoEntry: false })?.isFile() !== true)
    return { ...NOTHING, findings: withProblem(new Findings(), 'marker', marker ?? 'there is no data file') };
  const restore = restoreOf(directory);
  const root = typeof restore === 'object' ? restore.root : undefined;
  const check = checkStore(directory, root);
  const owner = marker === undefined && !check.findings.areBlocking ? ownerProblem(directory, root) : undefined;
  if (owner !== undefined) withProblem(check.findings, 'marker', owner);
  if (marker !== undefined) withProblem(check.findings, 'marker', marker);
  if (typeof restore === 'string') withProblem(check.findings, 'checkpoint', restore);
  if (typeof restore !== 'object') return check;
  const log = restoredLog(directory, restore);
  if (log?.problem !== undefined) withProblem(check.findings, 'log', log.problem);
  return { ...check, restoresTo: restore.savedAt, ...(log === undefined ? {} : { logged: log.records.length }) };
}

const NOTHING = { bytes: 0, pages: 0, freePages: 0, lostPages: 0, groups: 0, items: 0, transaction: undefined };

function withProblem(findings: Findings, table: 'marker' | 'checkpoint' | 'log', problem: string): Findings {
  findings.add({ kind: 'page', table, problem });
  return findings;
}

/** Returns the checkpoint that the next start restores, or what is wrong with it. */
function restoreOf(directory: string): ReturnType<typeof pendingRestore> | string {
  try {
    return pendingRestore(directory);
  } catch (error) {
    if (!(error instanceof StoreOpenError)) throw error;
    return error.message;
  }
}

function markerProblem(directory: string): string | undefined {
  try {
    requireFiles(directory);
    const marker = readMarker(directory);
    if (marker !== undefined) requireData(directory, marker);
    return marker === undefined ? 'the marker is missing' : undefined;
  } catch (error) {
    if (!(error instanceof StoreOpenError)) throw error;
    return error.message;
  }
}
