import type { LoadProcess } from '../../load/load-process.js';
import type { ServerProcess } from '../../servers/server-process.js';

const IN_FLIGHT = 256;
const WINDOW_MS = 250;
const MOST_WINDOWS = 400;

/** Writes this many messages as fast as the engine takes them. 16,000 are more than the kernel buffers for a stalled connection. */
export async function fill(load: LoadProcess, server: ServerProcess, group: string, messages: number): Promise<void> {
  const saturate = { kind: 'saturate', dialect: 'rivulet', url: server.writeUrl, group, inFlight: IN_FLIGHT } as const;
  let written = 0;
  for (let window = 0; written < messages; window++) {
    if (window === MOST_WINDOWS) throw new Error(`only ${written} of ${messages} messages were taken`);
    const { acknowledged } = await load.measure({ ...saturate, warmUpMs: 0, windowMs: WINDOW_MS, pid: server.pid });
    written += acknowledged;
  }
}
