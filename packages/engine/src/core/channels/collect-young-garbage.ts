import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { readonly type: 'minor' }) => void;

let collect: Collect | undefined;

/**
 * Frees the memory of young buffers, in a few milliseconds. V8 counts the bytes of buffers outside its heap and collects young ones only
 * after they have grown by 32 MiB. Code that passes on bulk data calls this earlier. Otherwise it would hold that much garbage.
 */
export function collectYoungGarbage(): void {
  collect ??= exposed();
  collect({ type: 'minor' });
}

/** Returns the collector. Only a context that V8 creates while the flag is set has the function. The main context never gets it. */
function exposed(): Collect {
  setFlagsFromString('--expose-gc');
  const collector = collectorOf(runInNewContext('globalThis.gc'));
  setFlagsFromString('--no-expose-gc');
  return collector;
}

/** Returns the function `gc` of a context. Bun has none, because its own collector counts the bytes of buffers by itself. */
export function collectorOf(gc: unknown): Collect {
  return typeof gc === 'function' ? (gc as Collect) : () => {};
}
