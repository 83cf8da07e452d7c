import { type Database, open } from 'lmdb';
import { pendingRestore } from '../env/prepare-directory.js';
import { TABLES } from '../tables/tables.js';
import { checkStore } from './check-store.js';
import type { Finding, Findings, FindingsCost } from './findings.js';
import { checkRoots } from './root-check.js';
import { ownerProblem } from './store-owner.js';

export interface PreflightRequest {
  readonly directory: string;
  /** `roots`: the meta pages, and one path of each tree. `everything`: each page, record and link. */
  readonly scope: 'roots' | 'everything';
}

export interface PreflightReport {
  readonly isBlocked: boolean;
  readonly count: number;
  readonly cost: FindingsCost;
  /** The first findings. */
  readonly findings: readonly Finding[];
}

/** Findings that a report names. */
const NAMED = 20;

/**
 * Checks a data file by our own reader, and opens it with LMDB only if the reader finds nothing that could crash LMDB. LMDB sees the newest
 * roots, so it must wait while a checkpoint has to be restored.
 */
export async function runPreflight(request: PreflightRequest): Promise<PreflightReport> {
  const report = readPreflight(request);
  if (!report.isBlocked && pendingRestore(request.directory) === undefined) await openOnce(request.directory);
  return report;
}

/** The same without LMDB, so no damage can crash this process. */
export function readPreflight({ directory, scope }: PreflightRequest): PreflightReport {
  const root = pendingRestore(directory)?.root;
  const findings = scope === 'everything' ? checkStore(directory, root).findings : checkRoots(directory);
  const problem = findings.areBlocking ? undefined : ownerProblem(directory, root);
  if (problem !== undefined) findings.add({ kind: 'page', table: 'marker', problem });
  return reportOf(findings);
}

function reportOf(findings: Findings): PreflightReport {
  return { isBlocked: findings.areBlocking, count: findings.count, cost: findings.cost, findings: findings.list.slice(0, NAMED) };
}

/** Reads the first and the last entry of each table, as the engine does at its start. */
async function openOnce(path: string): Promise<void> {
  const encoding = { encoding: 'binary', keyEncoding: 'binary' } as const;
  const root = open<Buffer, Buffer>({ path, noSubdir: false, readOnly: true, maxDbs: TABLES.length + 1, ...encoding });
  for (const name of TABLES) {
    // lmdb returns nothing for the newer tables, which a store of an older version lacks.
    const table = root.openDB<Buffer, Buffer>({ name, ...encoding }) as Database<Buffer, Buffer> | undefined;
    if (table === undefined) continue;
    for (const _ of table.getRange({ limit: 1 })) break;
    for (const _ of table.getRange({ limit: 1, reverse: true })) break;
  }
  await root.close();
}
