import { spawn } from 'node:child_process';
import { accessSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../../../logging/logger.js';
import { DATA_FILE } from '../env/store-marker.js';
import { StoreOpenError } from '../env/store-open-error.js';
import type { FindingsCost } from './findings.js';
import { type PreflightReport, type PreflightRequest, readPreflight } from './run-preflight.js';

/** Milliseconds that a preflight may take, with those for each megabyte of the file. After them, it counts as stuck. */
const LONGEST_MS = 60_000;
const LONGEST_MS_PER_MEGABYTE = 200;
const MEGABYTE = 1_048_576;
/** The longest time of a timer of Node. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Signals of the kernel when memory is short, of a terminal, and of an operator. They say nothing about the store. */
const KILLED_BY_OTHERS = new Set<NodeJS.Signals>(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP']);
/** Bytes of a report. */
const LONGEST_REPORT = 1_048_576;

/** The process that opens a store first. Tests give their own. */
export interface PreflightProgram {
  readonly node: string;
  readonly main: string;
}

/** A child process needs the built file. Tests run the sources, which lie beside it. */
const MAIN = join(dirname(fileURLToPath(import.meta.url)), 'preflight-main.js').replace(/([/\\])src([/\\]store[/\\]lmdb[/\\])/, '$1dist$2');
const PROGRAM: PreflightProgram = { node: process.execPath, main: MAIN };

/** How the process of a preflight ended. */
export type PreflightEnding =
  | { readonly kind: 'reported'; readonly report: PreflightReport }
  | { readonly kind: 'crashed'; readonly how: string }
  | { readonly kind: 'not started'; readonly error: Error };

/**
 * Opens a store in a child process before the engine opens it. LMDB trusts the pages of its file, so damage can end the process that reads
 * them. Rejects with StoreOpenError when the store is damaged in a way that the engine cannot survive. Logs damaged records that cost only
 * their items.
 */
export async function preflight(request: PreflightRequest, logger: Logger, program: PreflightProgram = PROGRAM): Promise<void> {
  judgeEnding(request, await runChild(request, program), logger);
}

/** Does what `preflight` does after its child process has ended. A harness has a process that checks many stores. */
export function judgeEnding(request: PreflightRequest, ending: PreflightEnding, logger: Logger): void {
  const { directory } = request;
  if (ending.kind === 'crashed') throw refusal(directory, `a process that opened it ended with ${ending.how}`);
  if (ending.kind === 'not started') {
    logger.warn('store_preflight_failed', {
      path: directory,
      error: ending.error.message,
      consequence: 'the engine checks the store itself',
    });
  }
  judgePreflight(request, ending.kind === 'reported' ? ending.report : readPreflight(request), logger);
}

/** The same within this process, without the protection from damage that only LMDB notices. */
export function inlinePreflight(request: PreflightRequest, logger: Logger): void {
  judgePreflight(request, readPreflight(request), logger);
}

const CONSEQUENCES: Readonly<Record<FindingsCost, string>> = {
  records: 'damaged records are not served; write or delete the items, or run rivulet check while no engine runs',
  counts: 'every item is served; max_bytes counts a group wrongly until one write to it without that bound',
  nothing: 'every item is served; reads ignore the records that were found',
};

function judgePreflight({ directory, scope }: PreflightRequest, report: PreflightReport, logger: Logger): void {
  const [first] = report.findings;
  if (report.isBlocked) throw refusal(directory, first === undefined ? 'its pages are damaged' : sentenceOf(first, report.count));
  if (report.count > 0)
    logger.error('store_damaged', {
      path: directory,
      ...(report.cost === 'records' && { code: 'CORRUPT_ITEM' }),
      findings: report.count,
      first: report.findings,
      consequence: CONSEQUENCES[report.cost],
    });
  else if (scope === 'everything') logger.info('store_checked', { path: directory });
}

function sentenceOf({ table, page, problem }: PreflightReport['findings'][number], count: number): string {
  const place = table === 'marker' ? '' : page === undefined ? `table ${table}: ` : `page ${page} of ${table}: `;
  return `${place}${problem}${count > 1 ? `, and ${count - 1} more findings` : ''}`;
}

function refusal(directory: string, problem: string): StoreOpenError {
  const remedy = `restore a backup, or save what is readable with rivulet salvage ${directory} --to NEW; rivulet check lists the damage`;
  return new StoreOpenError(`the store in ${directory} is damaged (${problem}); ${remedy}`, { code: 'CORRUPT_STORE' });
}

async function runChild(request: PreflightRequest, program: PreflightProgram): Promise<PreflightEnding> {
  try {
    // A bundle of the engine may lack the file. This is no damage.
    accessSync(program.main);
    return await endingOf(request, program);
  } catch (error) {
    return { kind: 'not started', error: error instanceof Error ? error : new Error(String(error)) };
  }
}

function endingOf({ directory, scope }: PreflightRequest, { node, main }: PreflightProgram): Promise<PreflightEnding> {
  // Options for the Node of the engine, such as a debugger, must not reach this process.
  const env = { ...process.env, NODE_OPTIONS: '' };
  const child = spawn(node, [main, directory, scope], { stdio: ['ignore', 'pipe', 'ignore'], env });
  let isStuck = false;
  const timeout = LONGEST_MS + (statSync(join(directory, DATA_FILE)).size / MEGABYTE) * LONGEST_MS_PER_MEGABYTE;
  const timer = setTimeout(
    () => {
      isStuck = true;
      child.kill('SIGKILL');
    },
    Math.min(timeout, LONGEST_TIMER_MS),
  );
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    if (text.length < LONGEST_REPORT) text += chunk;
  });
  const ending = new Promise<PreflightEnding>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const report = code === 0 ? parseReport(text) : undefined;
      if (report !== undefined) resolve({ kind: 'reported', report });
      else if (signal !== null && KILLED_BY_OTHERS.has(signal) && !isStuck) reject(new Error(`it was ended by ${signal}`));
      else resolve({ kind: 'crashed', how: isStuck ? 'no answer' : (signal ?? `exit code ${code}`) });
    });
  });
  return ending.finally(() => clearTimeout(timer));
}

function parseReport(text: string): PreflightReport | undefined {
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- inside a try; the text is from a process of the engine
    return JSON.parse(text) as PreflightReport;
  } catch {
    return undefined;
  }
}
