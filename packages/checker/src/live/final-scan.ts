import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decodeOp } from '../history/decode-op.js';
import type { Op } from '../history/op.js';

const SCAN = fileURLToPath(new URL('../../dist/live/scan-store.js', import.meta.url));
const MOST_OUTPUT = 268_435_456;

/**
 * Reads groups of a store in another process, after all engines have ended. `directory` is the path of an LMDB store, the address of a
 * Redis, or `cluster:` and its nodes.
 */
export async function scanStore(directory: string, groups: readonly string[]): Promise<readonly Extract<Op, { f: 'final' }>[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [SCAN, directory, ...groups], { maxBuffer: MOST_OUTPUT });
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const decoded = decodeOp(`{"i":0,"t":0,${line.slice(1)}`);
      if (decoded.kind === 'bad' || decoded.op.f !== 'final') throw new Error(`the scan of the store said: ${line}`);
      return decoded.op;
    });
}
