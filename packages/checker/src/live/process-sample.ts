import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds to wait for a figure. The sample lacks it afterwards, because a fault may have paused the engine. */
const ANSWER_MS = 5_000;

/** Source of a module that answers each message with the bytes in use after a garbage collection. It does not keep the process alive. */
const PROBE = `
process.on('message', async () => {
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  process.send?.({ heldBytes: heapUsed + arrayBuffers }, () => {});
});
process.channel?.unref();
`;

/** Arguments of Node for a process that `sampleProcess` can measure. The process also needs an IPC channel. */
export const SAMPLED_NODE: readonly string[] = ['--expose-gc', '--import', `data:text/javascript,${encodeURIComponent(PROBE)}`];

/**
 * Returns the figures of one process: memory after a garbage collection, all its private memory, and open descriptors. A figure that is
 * unavailable is left out.
 */
export async function sampleProcess(child: ChildProcess): Promise<Readonly<Record<string, number>>> {
  const held = await heldBytes(child);
  return { ...(held === undefined ? {} : { heldBytes: held }), ...systemFigures(child.pid ?? 0) };
}

function systemFigures(pid: number): Readonly<Record<string, number>> {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const anonymous = Number(/^Anonymous:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0);
    return { anonymousBytes: anonymous * 1_024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return {};
  }
}

function heldBytes(child: ChildProcess): Promise<number | undefined> {
  if (!child.connected) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const end = (bytes?: number) => {
      clearTimeout(timer);
      child.off('message', answered).off('disconnect', ended);
      resolve(bytes);
    };
    const answered = (message: unknown) => end((message as { readonly heldBytes: number }).heldBytes);
    const ended = () => end();
    const timer = setTimeout(ended, ANSWER_MS);
    child.on('message', answered).on('disconnect', ended);
    child.send('sample', (error) => {
      if (error !== null) end();
    });
  });
}
