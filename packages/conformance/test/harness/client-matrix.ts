import { TestRunner } from 'vitest';
import type { Capability } from '../../../../scripts/testing/client-matrix.mjs';

declare module 'vitest' {
  interface TaskMeta {
    /** Cells of the table of clients that this test stands for. */
    clientMatrix?: { readonly client: string; readonly capability: Capability }[];
  }
}

/** Says that the running test shows what these clients can do with the engine: `npm test` prints the table of all of them at its end. */
export function shows(capability: Capability, ...clients: readonly string[]): void {
  const meta = TestRunner.getCurrentTest()?.meta;
  if (meta === undefined) throw new Error('no test is running');
  meta.clientMatrix = [...(meta.clientMatrix ?? []), ...clients.map((client) => ({ client, capability }))];
}
