import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { PreflightEnding, PreflightReport, PreflightRequest } from '@rivulet/engine/parts';

const MAIN = fileURLToPath(new URL('./warm-preflight-main.js', import.meta.url)).replace('/src/store-damage/', '/dist/store-damage/');

/**
 * A process that does the preflight of many stores, one after the other. It runs the same function as the child process of a start. A store
 * that ends it gets the verdict that a start would give, and the next store gets a new process.
 */
export class WarmPreflight {
  #child: { readonly process: ChildProcess; readonly lines: AsyncIterator<string>; readonly reader: Interface } | undefined;

  async run(request: PreflightRequest): Promise<PreflightEnding> {
    const { process: child, lines } = (this.#child ??= start());
    const ended = new Promise<string>((resolve) => {
      child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    child.stdin?.write(`${JSON.stringify(request)}\n`);
    const line = await lines.next();
    // oxlint-disable-next-line eslint/no-restricted-properties -- written by a process of ours
    if (line.done !== true) return { kind: 'reported', report: JSON.parse(line.value) as PreflightReport };
    this.#child = undefined;
    return { kind: 'crashed', how: await ended };
  }

  close(): void {
    this.#child?.process.stdin?.end();
    this.#child = undefined;
  }
}

function start() {
  const child = spawn(process.execPath, [MAIN], { stdio: ['pipe', 'pipe', 'ignore'] });
  // A write to a process that a damage has ended fails. The missing line says so.
  child.stdin.on('error', () => {});
  const reader = createInterface({ input: child.stdout });
  return { process: child, lines: reader[Symbol.asyncIterator](), reader };
}
