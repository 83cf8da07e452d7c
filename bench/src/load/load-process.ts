import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { pin, SERVER_CPU } from '../servers/server-process.js';
import type {
  LoadCommand,
  ReturnCommand,
  ReturnReport,
  TransferCommand,
  TransferReport,
  WindowCommand,
  WindowReport,
} from './clients/commands.js';

const MAIN = fileURLToPath(new URL('./load-main.js', import.meta.url));
/** All processors except that of the server. On a machine with one processor it is the same one. */
const LOAD_CPUS = cpus().length > 1 ? `${Number(SERVER_CPU) + 1}-${cpus().length - 1}` : SERVER_CPU;

/** Starts the load generator and sends it commands. */
export class LoadProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<never>;

  constructor() {
    const [command, parameters] = pin(LOAD_CPUS, process.execPath, [MAIN]);
    this.#child = spawn(command, parameters, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' });
    this.#ended = once(this.#child, 'exit').then(() => {
      throw new Error('the load generator ended');
    });
    this.#ended.catch(() => {});
  }

  async execute(command: LoadCommand): Promise<void> {
    await this.#run(command);
  }

  /** Runs a command that measures a window. Resolves with its report. */
  async measure(command: WindowCommand): Promise<WindowReport> {
    const report = await this.#run<WindowReport>(command);
    if (report === undefined) throw new Error(`${command.kind} reported nothing`);
    return report;
  }

  async transfer(command: TransferCommand): Promise<TransferReport> {
    const report = await this.#run<TransferReport>(command);
    if (report === undefined) throw new Error('the transfer reported nothing');
    return report;
  }

  /** Runs a command of reconnecting subscribers. Resolves with their report. */
  async returns(command: ReturnCommand): Promise<ReturnReport> {
    const report = await this.#run<ReturnReport>(command);
    if (report === undefined) throw new Error(`${command.kind} reported nothing`);
    return report;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }

  async #run<Report>(command: LoadCommand): Promise<Report | undefined> {
    const answer = once(this.#child, 'message');
    this.#child.send(command);
    const [{ report, error }] = (await Promise.race([answer, this.#ended])) as [{ report?: Report; error?: string }];
    if (error !== undefined) throw new Error(error);
    return report;
  }
}
