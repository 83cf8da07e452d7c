import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { pin, SERVER_CPU } from '../servers/server-process.js';
import type { LoadCommand, PaceCommand, SaturateCommand, WindowReport } from './commands.js';

const MAIN = fileURLToPath(new URL('./load-main.js', import.meta.url));
/** Every processor but the server's; the same one where there is no other. */
const LOAD_CPUS = cpus().length > 1 ? `${Number(SERVER_CPU) + 1}-${cpus().length - 1}` : SERVER_CPU;

/** The parent's side of the load generator. */
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

  async tell(command: LoadCommand): Promise<void> {
    await this.#run(command);
  }

  /** Runs a command that measures a window. */
  async measure(command: PaceCommand | SaturateCommand): Promise<WindowReport> {
    const report = await this.#run(command);
    if (report === undefined) throw new Error(`${command.kind} reported nothing`);
    return report;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }

  async #run(command: LoadCommand): Promise<WindowReport | undefined> {
    const answer = once(this.#child, 'message');
    this.#child.send(command);
    const [{ report, error }] = (await Promise.race([answer, this.#ended])) as [{ report?: WindowReport; error?: string }];
    if (error !== undefined) throw new Error(error);
    return report;
  }
}
