import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pin } from '../servers/server-process.js';

const MAIN = fileURLToPath(new URL('./bare-loop-main.js', import.meta.url));

export interface BareLoop {
  readonly directory: string;
  readonly inFlight: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
  readonly cpu: string;
}

export interface BareLoopReport {
  readonly perSecond: number;
  /** Median time of one write, in milliseconds. */
  readonly p50: number;
}

/** Runs the bare loop in its own process, on the processor of the servers. */
export async function runBareLoop({ directory, inFlight, warmUpMs, windowMs, cpu }: BareLoop): Promise<BareLoopReport> {
  const parameters = [MAIN, directory, String(inFlight), String(warmUpMs), String(windowMs)];
  const { stdout } = await promisify(execFile)(...pin(cpu, process.execPath, parameters));
  return JSON.parse(stdout) as BareLoopReport;
}
