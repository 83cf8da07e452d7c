import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { pin, SERVER_CPU } from '../../servers/server-process.js';

const MAIN = fileURLToPath(new URL('./bare-redis-loop-main.js', import.meta.url));

/** The input of the loop, as JSON on its standard input. */
export interface BareRedisLoop {
  readonly url: string;
  /** Process id of Redis, for its processor time. */
  readonly redis: number;
  /** Commands that each write one item. The loop sends them in turn, with other items and values. */
  readonly recorded: readonly (readonly string[])[];
  readonly inFlight: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
}

/** The output of the loop, as JSON on its standard output. Times are processor times per write. */
export interface BareRedisReport {
  readonly perSecond: number;
  readonly ownMicros: number;
  readonly redisMicros: number;
}

/** Runs the bare loop in its own process, on the processor of the servers. */
export async function runBareRedisLoop(loop: BareRedisLoop): Promise<BareRedisReport> {
  const child = spawn(...pin(SERVER_CPU, process.execPath, [MAIN]), { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  child.stdin.end(JSON.stringify(loop));
  const report = await text(child.stdout);
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`the bare loop ended with ${code}`);
  return JSON.parse(report) as BareRedisReport;
}
