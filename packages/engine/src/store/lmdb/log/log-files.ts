import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type LogRecord, recordsIn } from './log-record.js';

const PREFIX = 'rivulet-log-';
/** A larger file is not from a commit log. */
const MOST_BYTES = 67_108_864;
/** A run writes to two files in turn. */
export const FILES = [0, 1] as const;

export function logFile(directory: string, name: string, file: number): string {
  return join(directory, `${PREFIX}${name}-${file}`);
}

/** Removes the logs of all runs but one. */
export function removeLogs(directory: string, except: string | undefined): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const { name } = entry;
    if (!name.startsWith(PREFIX) || entry.isDirectory() || (except !== undefined && name.startsWith(`${PREFIX}${except}-`))) continue;
    rmSync(join(directory, name), { force: true });
  }
}

/** The sound records of a log after a transaction, in their order. Some are missing when there is a problem. */
export interface LogReading {
  readonly records: readonly LogRecord[];
  readonly problem: string | undefined;
}

/**
 * Reads the records of a run that follow a transaction. A record that was not written to its end is the normal end of a log. A missing file
 * is a problem, and so is a record that is missing before another one.
 */
export function readLog(directory: string, name: string, transaction: number): LogReading {
  const run = Buffer.from(name, 'hex');
  const records: LogRecord[] = [];
  let problem: string | undefined;
  for (const each of FILES) {
    const file = logFile(directory, name, each);
    try {
      const stats = statSync(file);
      if (!stats.isFile() || stats.size > MOST_BYTES) throw new Error('it is no file of a commit log');
      for (const record of recordsIn(readFileSync(file), run)) if (record.transaction > transaction) records.push(record);
    } catch (error) {
      problem = `${file} can't be read: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  records.sort((a, b) => a.sequence - b.sequence);
  return { records, problem: problem ?? gapIn(records, transaction) };
}

function gapIn(records: readonly LogRecord[], transaction: number): string | undefined {
  let before = { sequence: (records[0]?.sequence ?? 1) - 1, transaction };
  for (const record of records) {
    if (record.sequence !== before.sequence + 1 || record.transaction > before.transaction + 1)
      return `the commit log lacks transactions between ${before.transaction} and ${record.transaction}`;
    before = record;
  }
  return undefined;
}
