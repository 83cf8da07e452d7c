import { execFile } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Random } from '@rivulet/testkit/random';
import { type CallEvent, CallReader, straceCommand } from './disk-calls.js';
import { DiskModel } from './disk-model.js';
import type { Mark } from './marks.js';
import type { Durability } from './stored-groups.js';

const PROGRAM = fileURLToPath(new URL('../../dist/power-cuts/record-main.js', import.meta.url));

/** One thing that happened. */
export type Moment =
  | { readonly kind: 'call'; readonly event: CallEvent }
  | { readonly kind: 'mark'; readonly mark: Mark }
  /** The program ended. */
  | { readonly kind: 'exit' };

export interface Recording {
  /** The directory of the stores. */
  readonly directory: string;
  /** The model of the disk before the first moment. Replay the moments once. */
  readonly disk: DiskModel;
  readonly moments: readonly Moment[];
}

export interface RecordingOptions {
  /** A folder with the stores in `data`, which may be empty. */
  readonly folder: string;
  readonly random: Random;
  readonly durability: Durability;
  /** Number of steps of each process. */
  readonly steps: readonly number[];
}

/** Records processes that use the same stores one after the other. Some are killed, the others stop. */
export async function record({ folder, random, durability, steps }: RecordingOptions): Promise<Recording> {
  const directory = join(folder, 'data');
  const marks = join(folder, 'marks');
  mkdirSync(directory, { recursive: true });
  const disk = new DiskModel(directory);
  const replayed = new DiskModel(directory);
  const moments: Moment[] = [];
  for (const [index, each] of steps.entries()) {
    // The next process reads what a killed one had written unreported, so the last process stops.
    const end = index < steps.length - 1 && random.chance(0.5) ? 'kill' : 'close';
    const output = join(folder, 'calls');
    const [command, ...args] = [...straceCommand(output), process.execPath, PROGRAM];
    const program = [directory, marks, String(random.below(2 ** 31)), durability, String(each), end];
    await run(command as string, [...args, ...program]);
    for (const moment of await momentsOf(output, folder, marks)) {
      moments.push(moment);
      if (moment.kind === 'call') disk.apply(moment.event);
    }
    disk.endProgram();
    moments.push({ kind: 'exit' });
    rmSync(output);
    const differences = disk.differences();
    if (differences.length > 0) throw new Error(`the recording missed calls on ${differences.join(', ')}`);
  }
  return { directory, disk: replayed, moments };
}

async function momentsOf(output: string, folder: string, marks: string): Promise<readonly Moment[]> {
  const reader = new CallReader(folder);
  const moments: Moment[] = [];
  for await (const line of createInterface({ input: createReadStream(output, { encoding: 'latin1', highWaterMark: 1 << 20 }) })) {
    for (const event of reader.read(line)) {
      const { call } = event;
      if (!('path' in call) || call.path !== marks) moments.push({ kind: 'call', event });
      // oxlint-disable-next-line eslint/no-restricted-properties -- written by the recorded program
      else if (call.kind === 'write' && event.stage === 'begin')
        moments.push({ kind: 'mark', mark: JSON.parse(call.data.toString()) as Mark });
    }
  }
  const { unfinished, unfinishedRenames } = reader;
  for (const call of unfinishedRenames) {
    const isExecuted = call.kind === 'rename' && !existsSync(call.from) && existsSync(call.to);
    if (isExecuted) moments.push({ kind: 'call', event: { stage: 'end', call } });
  }
  return moments.flatMap((moment) => (moment.kind === 'call' && unfinished.has(moment.event) ? executedPart(moment.event) : [moment]));
}

/** Returns the part of a write that the system executed before it killed the program. No other call has changed the file since. */
function executedPart({ stage, call }: CallEvent): readonly Moment[] {
  if (call.kind !== 'write' || call.at === undefined) return [];
  const content = readFileSync(call.path).subarray(call.at, call.at + call.data.length);
  let bytes = 0;
  while (bytes < content.length && content[bytes] === call.data[bytes]) bytes++;
  if (bytes === 0) return [];
  return [{ kind: 'call', event: { stage, call: { ...call, data: call.data.subarray(0, bytes), isSynced: false } } }];
}

/** Resolves when the program has ended. A program that killed itself has done its work. */
function run(command: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    // libuv must not send calls through a ring that strace does not see.
    const env = { ...process.env, UV_USE_IO_URING: '0' };
    execFile(command, args, { env }, (error, _stdout, stderr) => {
      if (error === null || error.signal === 'SIGKILL' || error.code === 137) resolve();
      else reject(new Error(`the recorded program failed: ${stderr || error.message}`));
    });
  });
}
