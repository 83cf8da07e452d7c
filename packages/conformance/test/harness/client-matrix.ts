import { TestRunner } from 'vitest';
import type { Capability } from '../../../../scripts/testing/client-matrix.mjs';

declare module 'vitest' {
  interface TaskMeta {
    /** The cells of the table of clients that this test proves. */
    clientMatrix?: { readonly client: string; readonly capability: Capability }[];
  }
}

/** Records that the running test proves a capability of these clients. `npm test` prints the table of all clients at its end. */
export function shows(capability: Capability, ...clients: readonly string[]): void {
  const meta = TestRunner.getCurrentTest()?.meta;
  if (meta === undefined) throw new Error('no test is running');
  meta.clientMatrix = [...(meta.clientMatrix ?? []), ...clients.map((client) => ({ client, capability }))];
}
