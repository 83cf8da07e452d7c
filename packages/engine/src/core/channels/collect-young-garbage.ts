import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { readonly type: 'minor' }) => void;

let collect: Collect | undefined;

/**
 * Frees what young buffers hold, in a few milliseconds. V8 counts the bytes of buffers apart from its heap and collects young ones only
 * when they have grown by 32 MiB, so whoever passes on bulk data would hold that much garbage; he asks for it sooner.
 */
export function collectYoungGarbage(): void {
  collect ??= exposed();
  collect({ type: 'minor' });
}

/** A context made while the flag is set has the function; this one never gets it. */
function exposed(): Collect {
  setFlagsFromString('--expose-gc');
  const found = runInNewContext('gc') as Collect;
  setFlagsFromString('--no-expose-gc');
  return found;
}
