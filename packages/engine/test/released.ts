import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** How many of these nothing holds any more. */
export async function countReleased(refs: readonly WeakRef<object>[]): Promise<number> {
  // A reference that was made or followed in this turn holds its target until the turn is over.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  return refs.filter((ref) => ref.deref() === undefined).length;
}
