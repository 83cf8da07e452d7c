import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Random } from '@rivulet/testkit/random';
import { EngineProcess } from '../live/engine-process.js';
import { GroupWriter } from './group-writer.js';
import type { ReaderCommand, ReaderReport, ReaderTotals } from './reader-messages.js';

export interface HttpReadersOptions {
  readonly readers: number;
  readonly seed: number;
  /** Writes to each group. One write in five is a batch. */
  readonly writes: number;
  /** Writes in a second. */
  readonly rate: number;
  readonly say: (line: string) => void;
}

export interface HttpReadersResult extends ReaderTotals {
  readonly processes: number;
  readonly groups: number;
}

const PROGRAM = fileURLToPath(new URL('../../dist/http-readers/reader-main.js', import.meta.url));
/** Readers of one process. A process may have about 19,000 sockets, and sockets that are cut stay for a while. */
const READERS_OF_A_PROCESS = 5_000;
/** Readers for each group. */
const READERS_OF_A_GROUP = 100;
/** Most events of one connection before the reader cuts it. */
const CUT_WITHIN = 16;

type ReportOf<K extends ReaderReport['kind']> = Extract<ReaderReport, { kind: K }>;

/** Returns what is wrong with the totals; empty when every reader has exactly what was written. */
export function problemsOf(totals: ReaderTotals): string[] {
  const { lost, doubled, wrongIds, unfinished, wrongStates } = totals;
  return Object.entries({ lost, doubled, wrongIds, unfinished, wrongStates }).flatMap(([name, count]) =>
    count === 0 ? [] : [`${name}: ${count}`],
  );
}

/**
 * Runs readers of event streams against an engine in a process of its own. Each reader cuts its connection behind random events, while a
 * worker writes.
 */
export async function runHttpReaders({ readers, seed, writes, rate, say }: HttpReadersOptions): Promise<HttpReadersResult> {
  const random = new Random(seed);
  const groups = Array.from({ length: Math.max(2, Math.ceil(readers / READERS_OF_A_GROUP)) }, (_, n) => `http/g${n}`);
  const processes = Math.ceil(readers / READERS_OF_A_PROCESS);
  const engine = await EngineProcess.create([]);
  const children: ChildProcess[] = [];
  let writer: GroupWriter | undefined;
  try {
    for (let index = 0; index < processes; index++) children.push(fork(PROGRAM, { stdio: 'inherit' }));
    for (const [index, child] of children.entries()) {
      const count = Math.floor(readers / processes) + (index < readers % processes ? 1 : 0);
      send(child, {
        kind: 'start',
        port: engine.ports.stream,
        readers: count,
        seed: random.below(1e9),
        index,
        groups,
        cutWithin: CUT_WITHIN,
      });
    }
    await Promise.all(children.map((child) => nextReport(child, 'open')));
    say(`${readers} readers of ${groups.length} groups are open, in ${processes} processes`);
    writer = await GroupWriter.connect(engine.ports.worker, random.fork());
    await writer.write(groups, writes, rate);
    const { offsets, items } = writer;
    say(`${groups.length * writes} writes are done`);
    const reports = children.map((child) => nextReport(child, 'done'));
    for (const child of children) send(child, { kind: 'heads', offsets, items });
    const totals = (await Promise.all(reports)).map(({ totals: each }) => each);
    return { processes, groups: groups.length, ...totals.reduce(add) };
  } finally {
    writer?.close();
    for (const child of children) child.kill('SIGKILL');
    await engine.remove();
  }
}

function add(one: ReaderTotals, other: ReaderTotals): ReaderTotals {
  const sum = { ...one };
  for (const name of Object.keys(other) as (keyof ReaderTotals)[]) sum[name] += other[name];
  return sum;
}

function send(child: ChildProcess, command: ReaderCommand): void {
  child.send(command);
}

/** Resolves with the next report of this kind. Rejects when the process ends before. */
async function nextReport<K extends ReaderReport['kind']>(child: ChildProcess, kind: K): Promise<ReportOf<K>> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`a process of readers ended with ${String(code)}`);
  });
  // It ends at last, when nobody waits any more.
  ended.catch(() => {});
  for (;;) {
    const [report] = (await Promise.race([once(child, 'message'), ended])) as [ReaderReport];
    if (report.kind === kind) return report as ReportOf<K>;
  }
}
