import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLI } from '@rivulet/testkit/engines/built-engine';
import { ONE_FILE_THREAD, underPassingStrace } from './disk-faults.js';

/** System calls that change files, or put them on the disk. The creation of a file shows in the first write to it. */
const CALLS =
  'write,writev,pwrite64,pwritev,ftruncate,fallocate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,rmdir,chmod';
/** Calls that decide which files a later process finds. */
const NAMES = /^(rename|link|unlink|mkdir|rmdir)/;
const LINE = /^\d+ +(?:<\.\.\. )?(\w+)/;

/** The moment before the n-th call of a kind that one thread of a program makes. */
export interface KillPoint {
  readonly call: string;
  readonly nth: number;
  /** The call as strace shows it. */
  readonly text: string;
}

/** Returns a program of Node and its arguments for a command of the engine. */
export function engineCommand(...words: readonly string[]): readonly string[] {
  return [CLI, ...words];
}

/**
 * Runs a program of Node to its end. Returns a point for each call that changed a file below the directory in which it ran, or for some of
 * these calls, `most` of them.
 */
export async function killPointsOf(program: readonly string[], directory: string, most: number): Promise<readonly KillPoint[]> {
  const output = join(directory, 'calls.strace');
  const strace = ['-f', '-y', '-qq', '--seccomp-bpf', '-o', output, '-e', `trace=${CALLS}`, process.execPath, ...program];
  await new Promise<void>((resolve) => {
    execFile('strace', strace, { cwd: directory, env: { ...process.env, ...ONE_FILE_THREAD } }, () => resolve());
  });
  const counts = new Map<string, number>();
  const points: KillPoint[] = [];
  for (const line of readFileSync(output, 'utf8').split('\n')) {
    const call = LINE.exec(line)?.[1];
    if (call === undefined || line.includes('<... ')) continue;
    const thread = `${line.slice(0, line.indexOf(' '))} ${call}`;
    const nth = (counts.get(thread) ?? 0) + 1;
    counts.set(thread, nth);
    // LMDB fills its file of readers page by page.
    if (line.includes(`${directory}/`) && !line.includes('lock.mdb')) points.push({ call, nth, text: line.slice(0, 200) });
  }
  return spread(points, most);
}

/** Runs a program of Node and kills it at a point. Returns whether it died there: the calls of two runs differ a little. */
export async function diesAt({ call, nth }: KillPoint, program: readonly string[], directory: string): Promise<boolean> {
  return (await endOf(underPassingStrace(call, `signal=SIGKILL:when=${nth}`), program, directory)) === 'SIGKILL';
}

/**
 * Runs a program of Node and sends it SIGINT at its first call of a kind on one file. Returns the signal that ended the program, or
 * `undefined` when it ended by itself.
 */
export function endAfterInterrupt(
  call: string,
  file: string,
  program: readonly string[],
  directory: string,
): Promise<NodeJS.Signals | undefined> {
  // Only the path makes two runs alike: the threads of Node write to pipes of their own as often as they like.
  return endOf([...underPassingStrace(call, 'signal=SIGINT:when=1'), '-P', join(directory, file)], program, directory);
}

function endOf(strace: readonly string[], program: readonly string[], directory: string): Promise<NodeJS.Signals | undefined> {
  const [command, ...args] = [...strace, process.execPath, ...program];
  return new Promise((resolve) => {
    execFile(command as string, args, { cwd: directory, env: { ...process.env, ...ONE_FILE_THREAD } }, (error) => {
      resolve(error?.signal ?? undefined);
    });
  });
}

/** Returns some points, evenly over the run. Few points are calls that change names, because most steps of a command end with one. */
function spread(points: readonly KillPoint[], most: number): readonly KillPoint[] {
  if (points.length <= most) return points;
  const names = points.filter(({ call }) => NAMES.test(call));
  const from = names.length >= most ? names : points;
  return Array.from({ length: most }, (_, index) => from[Math.floor(((index + 0.5) * from.length) / most)] as KillPoint);
}
