import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('../../../sink/sink.c', import.meta.url));
const FOLDER = fileURLToPath(new URL('../../sink', import.meta.url));
const BINARY = `${FOLDER}/sink`;

/** Returns the compiled frame counter; `undefined` without a C compiler. Then Node counts the frames, which is slower than some servers. */
export function sinkBinary(): string | undefined {
  if (existsSync(BINARY) && statSync(BINARY).mtimeMs >= statSync(SOURCE).mtimeMs) return BINARY;
  mkdirSync(FOLDER, { recursive: true });
  const { status } = spawnSync('cc', ['-O2', '-D_GNU_SOURCE', '-o', BINARY, SOURCE], { stdio: ['ignore', 'inherit', 'inherit'] });
  return status === 0 ? BINARY : undefined;
}
