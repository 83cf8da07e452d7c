import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
/** Runs a garbage collection. */
export const collectGarbage = runInNewContext('gc') as () => void;

/** Returns the bytes of the heap and of array buffers that are still referenced. */
export async function heldBytes(): Promise<number> {
  // Objects of this turn of the event loop are released in the turns after it.
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Returns how many of these objects are unreachable. */
export async function countReleased(refs: readonly WeakRef<object>[]): Promise<number> {
  // A `WeakRef` that was created or dereferenced in this turn of the event loop keeps its target until the turn ends.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  return refs.filter((ref) => ref.deref() === undefined).length;
}
