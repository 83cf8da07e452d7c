import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { AgentCommand, AgentReport } from './agent-messages.js';

const PROGRAM = fileURLToPath(new URL('../../dist/lock-trials/agent-main.js', import.meta.url));
const UNSHARE = ['--pid', '--fork', '--mount-proc', '--kill-child'];

/** Returns why processes of this machine can't have PID namespaces of their own; `undefined` when they can. */
export function namespaceProblem(): string | undefined {
  if (process.platform !== 'linux') return 'PID namespaces exist on Linux only';
  const { error, status, stderr } = spawnSync('unshare', [...UNSHARE, 'true'], { encoding: 'utf8' });
  if (error !== undefined) return `unshare does not run: ${error.message}`;
  return status === 0 ? undefined : `unshare is not permitted: ${stderr.trim()}`;
}

type Kind = AgentReport['kind'];
type ReportOf<K extends Kind> = Extract<AgentReport, { kind: K }>;

/** A process in a PID namespace of its own that opens a store and writes to it. */
export class Agent {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #onReport: (report: AgentReport, agent: Agent) => void;
  #waiting: {
    readonly kinds: readonly Kind[];
    readonly resolve: (report: AgentReport) => void;
    readonly reject: (error: Error) => void;
  }[] = [];
  readonly #ended: Promise<unknown>;
  hasEnded = false;
  #errors = '';
  #pid = 0;

  /** `skipped`: how many process ids of the namespace others take first. Without any, the process is number 1, as in a container. */
  constructor(name: string, skipped: number, onReport: (report: AgentReport, agent: Agent) => void) {
    this.name = name;
    this.#onReport = onReport;
    const script = `i=0; while [ $i -lt ${skipped} ]; do /bin/true; i=$((i+1)); done; ${skipped === 0 ? 'exec ' : ''}"$0" "$1"; exit $?`;
    this.#child = spawn('unshare', [...UNSHARE, 'sh', '-c', script, process.execPath, PROGRAM], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stdin?.on('error', () => {});
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.#errors = (this.#errors + data.toString()).slice(-2_000);
    });
    if (this.#child.stdout === null) throw new Error('the agent has no output');
    // oxlint-disable-next-line eslint/no-restricted-properties -- written by the agent
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#received(JSON.parse(line) as AgentReport));
    this.#ended = once(this.#child, 'close').then(() => {
      this.hasEnded = true;
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(`agent ${name} ended: ${this.#errors}`));
    });
  }

  async ready(): Promise<void> {
    await this.next('ready');
    this.#pid = nodeBelow(this.#child.pid ?? 0) ?? 0;
    if (this.#pid === 0) throw new Error(`agent ${this.name} has no process`);
  }

  send(command: AgentCommand): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  /** Resolves with the next report of one of these kinds. */
  next<K extends Kind>(...kinds: readonly K[]): Promise<ReportOf<K>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ kinds, resolve: (report) => resolve(report as ReportOf<K>), reject });
    });
  }

  open(directory: string, owner: string): Promise<ReportOf<'opened' | 'refused'>> {
    this.send({ kind: 'open', directory, owner });
    return this.next('opened', 'refused');
  }

  async close(): Promise<void> {
    this.send({ kind: 'close' });
    await this.next('closed');
  }

  freeze(): void {
    process.kill(this.#pid, 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.#pid, 'SIGCONT');
  }

  /** Resolves when the process has ended and all its reports have arrived. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) process.kill(this.#pid || (this.#child.pid ?? 0), 'SIGKILL');
    await this.#ended;
  }

  #received(report: AgentReport): void {
    this.#onReport(report, this);
    const index = this.#waiting.findIndex(({ kinds }) => kinds.includes(report.kind));
    if (index >= 0) this.#waiting.splice(index, 1)[0]?.resolve(report);
  }
}

/** Returns the process of Node below another one, by the ids of this namespace. */
function nodeBelow(pid: number): number | undefined {
  for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)) {
    if (readFileSync(`/proc/${child}/cmdline`, 'utf8').startsWith(`${process.execPath}\0`)) return child;
    const below = nodeBelow(child);
    if (below !== undefined) return below;
  }
  return undefined;
}
