import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { CLI } from '@rivulet/testkit/engines/built-engine';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { expect, onTestFinished, test } from 'vitest';
import { ROOT } from '../config-files.js';

const DOCUMENT = readFileSync(join(ROOT, 'docs/cli.md'), 'utf8');

/** Returns the commands in the examples of docs/cli.md, each with the output that the document shows. */
function examples(): readonly { readonly command: string; readonly output: string }[] {
  const blocks = [...DOCUMENT.matchAll(/^```\n(\$ [^]*?)^```$/gm)].map(([, block = '']) => block);
  return blocks
    .flatMap((block) => block.split(/^\$ /m).slice(1))
    .map((text) => {
      const [command = '', ...lines] = text.split('\n');
      return { command, output: lines.join('\n') };
    });
}

/** Returns a pattern for an output in which `…` stands for anything. Widths of columns and times of day may differ. */
function patternOf(output: string): RegExp {
  const escaped = output
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replace(/ {2,}/g, ' +')
    .replaceAll('12:34:56', '\\d\\d:\\d\\d:\\d\\d');
  return new RegExp(`^${escaped.replaceAll('…', '.*?')}$`);
}

/** Runs a command in a shell. `output` has what it has printed until now. */
class Shell {
  readonly #env: NodeJS.ProcessEnv;
  readonly #inBackground: { readonly output: Output; readonly closed: Promise<void> }[] = [];

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  /** Returns the output of a command. A command that ends with `&` prints when `wait` is called; it must watch, and be live first. */
  async run(command: string): Promise<string> {
    if (command === 'wait') {
      await Promise.all(this.#inBackground.map(({ closed }) => closed));
      return this.#inBackground.map(({ output }) => output.text).join('');
    }
    const background = command.endsWith(' &');
    const started = this.#start(background ? command.slice(0, -2) : command);
    if (!background) {
      await started.closed;
      return started.output.text;
    }
    await started.output.match(/ live /);
    this.#inBackground.push(started);
    return '';
  }

  #start(command: string): { readonly output: Output; readonly closed: Promise<void> } {
    const child = spawn('/bin/sh', ['-c', `{ ${command}\n} 2>&1`], { env: this.#env, stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill());
    const output = new Output(child.stdout);
    return { output, closed: once(child, 'close').then(() => {}) };
  }
}

/** The text that a process has printed. */
class Output {
  text = '';
  readonly #readable: Readable;

  constructor(readable: Readable) {
    this.#readable = readable.on('data', (data: Buffer) => {
      this.text += data.toString();
    });
  }

  async match(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) await once(this.#readable, 'data');
  }
}

test('the examples of docs/cli.md print what the document shows', async () => {
  const engine = await startTestEngine({ admin: {} });
  const bin = directoryWith();
  writeFileSync(join(bin, 'rivulet'), `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`, { mode: 0o755 });
  const urls = { RIVULET_URL: engine.workerUrl, RIVULET_STREAM_URL: engine.streamUrl, RIVULET_ADMIN_URL: engine.adminUrl };
  const shell = new Shell({ PATH: `${bin}:${process.env.PATH}`, ...urls });
  const shown = examples();
  expect(shown.length).toBeGreaterThan(15);
  for (const { command, output } of shown) {
    const printed = await shell.run(command);
    expect({ command, printed }).toEqual({ command, printed: expect.stringMatching(patternOf(output)) });
  }
});
