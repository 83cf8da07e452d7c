import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { CLI } from '@rivulet/testkit/engines/built-engine';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { expect, test } from 'vitest';
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

/** Returns a pattern for an output in which `…` stands for anything, and for the width of a column. */
function patternOf(output: string): RegExp {
  const escaped = output.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/ {2,}/g, ' +');
  return new RegExp(`^${escaped.replaceAll('…', '.*?')}$`);
}

test('the examples of docs/cli.md print what the document shows', async () => {
  const engine = await EngineProcess.start({ storeMethod: 'in_memory' });
  const bin = directoryWith();
  writeFileSync(join(bin, 'rivulet'), `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`, { mode: 0o755 });
  const env = { PATH: `${bin}:${process.env.PATH}`, RIVULET_URL: engine.workerUrl, RIVULET_STREAM_URL: engine.streamUrl };
  const shown = examples();
  expect(shown.length).toBeGreaterThan(10);
  for (const { command, output } of shown) {
    const printed = await new Promise<string>((resolve) => {
      execFile('/bin/sh', ['-c', `{ ${command}\n} 2>&1`], { env, encoding: 'utf8' }, (_error, stdout) => resolve(stdout));
    });
    expect({ command, printed }).toEqual({ command, printed: expect.stringMatching(patternOf(output)) });
  }
}, 60_000);
