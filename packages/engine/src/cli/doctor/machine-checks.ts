import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { findNodeProblem, type RuntimeVersions } from '../engine/node-support.js';
import { type Finding, findingsOf } from './finding.js';

const { ok, note, change } = findingsOf('machine');

const LEAST_DESCRIPTORS = 4_096;
const GOOD_DESCRIPTORS = 65_536;
const MIB = 1_048_576;
const LEAST_MEMORY = 512 * MIB;
const GOOD_MEMORY = 1_024 * MIB;

/** The figures of a machine that limit an engine. */
export interface Machine {
  /** Files and sockets that a process may have open. `undefined` if the system does not say. */
  readonly descriptors: number | undefined;
  /** Bytes of memory that the engine may use: of the machine, or of its container. */
  readonly memory: number;
  /** The largest heap of JavaScript, in bytes. */
  readonly heap: number;
  readonly versions: RuntimeVersions;
  readonly today: Date;
}

/** Returns the figures of this machine, as far as they hold for a process that this user starts. */
export function thisMachine(): Machine {
  const limits = textOf('/proc/self/limits');
  const descriptors = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  const group = Number(textOf('/sys/fs/cgroup/memory.max').trim());
  const memory = Number.isSafeInteger(group) && group > 0 ? Math.min(group, totalmem()) : totalmem();
  return {
    descriptors: descriptors === undefined ? undefined : Number(descriptors),
    memory,
    heap: getHeapStatistics().heap_size_limit,
    versions: process.versions,
    today: new Date(),
  };
}

export function checkMachine({ descriptors, memory, heap, versions, today }: Machine): readonly Finding[] {
  return [
    runtimeFinding(versions, today),
    descriptorFinding(descriptors),
    memoryFinding(memory),
    ...(heap > memory
      ? [note(`Node would use ${mib(heap)} for its heap, more than the ${mib(memory)} of memory; start it with --max-old-space-size`)]
      : []),
  ];
}

function runtimeFinding({ node, bun }: RuntimeVersions, today: Date): Finding {
  if (bun !== undefined) return note(`Bun ${bun} runs the engine; the tests of the engine use Node`);
  const problem = findNodeProblem(node, today);
  return problem === undefined ? ok(`Node ${node} gets security fixes`) : note(problem.message);
}

function descriptorFinding(descriptors: number | undefined): Finding {
  const remedy = 'raise it with ulimit -n, or with LimitNOFILE= of systemd, to 65536 or more';
  if (descriptors === undefined) return note('the limit of open files is unknown on this system; it bounds the connections');
  if (descriptors < LEAST_DESCRIPTORS) return change(`a process may open ${descriptors} files and sockets, one for each client; ${remedy}`);
  if (descriptors < GOOD_DESCRIPTORS) return note(`a process may open ${descriptors} files and sockets; for more clients, ${remedy}`);
  return ok(`a process may open ${descriptors} files and sockets`);
}

function memoryFinding(memory: number): Finding {
  if (memory < LEAST_MEMORY) return change(`there are ${mib(memory)} of memory; give the engine ${mib(LEAST_MEMORY)} or more`);
  if (memory < GOOD_MEMORY)
    return note(`there are ${mib(memory)} of memory; with many clients the engine needs ${mib(GOOD_MEMORY)} or more`);
  return ok(`there are ${mib(memory)} of memory`);
}

export function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
