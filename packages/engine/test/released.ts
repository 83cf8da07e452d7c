import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Returns how many of the objects nothing holds any more. */
export async function countReleased(refs: readonly WeakRef<object>[]): Promise<number> {
  // A reference that was created or followed in this turn holds its target until the turn ends.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  return refs.filter((ref) => ref.deref() === undefined).length;
}
