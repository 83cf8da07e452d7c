import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../servers/free-ports.js';

const MAIN = fileURLToPath(new URL('../../../../examples/board/board.mjs', import.meta.url));

/** The example examples/board: an engine with a durable store, the worker, and the web server. */
export class BoardProcess {
  readonly address: string;
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(address: string, child: ChildProcess, directory: string) {
    this.address = address;
    this.#child = child;
    this.#directory = directory;
  }

  static async start(): Promise<BoardProcess> {
    const directory = mkdtempSync(join(tmpdir(), 'rivulet-bench-'));
    const { worker, stream } = await freePorts();
    const env = { ...process.env, PORT: '0', WORKER_PORT: `${worker}`, STREAM_PORT: `${stream}`, DATA: directory };
    const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'ignore'] });
    for await (const line of createInterface({ input: child.stdout })) {
      const address = /^board on (\S+)$/.exec(line)?.[1];
      if (address !== undefined) return new BoardProcess(address, child, directory);
    }
    throw new Error('examples/board has not started; `npm start` in its folder says why');
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGTERM');
      await once(this.#child, 'exit');
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
