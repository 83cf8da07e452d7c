import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DATA_FILE, readMarker, requireData } from '../env/store-marker.js';
import { StoreOpenError } from '../env/store-open-error.js';
import { checkStore, type StoreCheck } from './check-store.js';
import { Findings } from './findings.js';

/** Checks the marker and the data file of a directory. The caller has the lock of the directory. */
export function checkDirectory(directory: string): StoreCheck {
  const marker = markerProblem(directory);
  if (!existsSync(join(directory, DATA_FILE)))
    return { ...NOTHING, findings: withMarker(new Findings(), marker ?? 'there is no data file') };
  const check = checkStore(directory);
  return marker === undefined ? check : { ...check, findings: withMarker(check.findings, marker) };
}

const NOTHING = { bytes: 0, pages: 0, freePages: 0, lostPages: 0, groups: 0, items: 0, transaction: undefined };

function withMarker(findings: Findings, problem: string): Findings {
  findings.add({ kind: 'page', table: 'marker', problem });
  return findings;
}

function markerProblem(directory: string): string | undefined {
  try {
    const marker = readMarker(directory);
    if (marker !== undefined) requireData(directory, marker);
    return marker === undefined ? 'the marker is missing' : undefined;
  } catch (error) {
    if (!(error instanceof StoreOpenError)) throw error;
    return error.message;
  }
}
