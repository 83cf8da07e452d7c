import { type ChildProcess, spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { CLI } from './built-engine.js';

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds from the spawn to the exit. */
  readonly milliseconds: number;
}

/** Runs the built command line as a child process, which is killed when the test ends. */
export class CliProcess {
  readonly finished: Promise<Finished>;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';
  #changed: () => void = () => {};

  constructor(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) {
    const started = performance.now();
    this.#child = spawn(process.execPath, [CLI, ...args], {
      cwd,
      // The tests match log lines as text. Without a terminal the engine would write JSON.
      env: { PATH: process.env.PATH, RIVULET_LOG_FORMAT: 'text', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#changed();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#changed();
    });
    this.finished = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr, milliseconds: performance.now() - started });
        this.#changed();
      });
    });
    onTestFinished(() => {
      this.#child.kill('SIGKILL');
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /**
   * Resolves with the first match in the output, and waits for more output if there is none. Rejects when the process ends without a match.
   */
  async output(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(stream === 'stdout' ? this.#stdout : this.#stderr);
      if (match !== null) return match;
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`ended without ${pattern}: ${this.#stdout}${this.#stderr}`);
      }
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  /** Resolves with the real addresses of the WebSocket listeners, in the order of the ready line. */
  async ready(): Promise<readonly string[]> {
    const [line] = await this.output('stdout', /^ready .*\n/m);
    return [...line.matchAll(/=(ws:\/\/\S+)/g)].map(([, address = '']) => address);
  }
}

export const run = (args: readonly string[], cwd: string, env?: Readonly<Record<string, string>>): Promise<Finished> =>
  new CliProcess(args, cwd, env).finished;
