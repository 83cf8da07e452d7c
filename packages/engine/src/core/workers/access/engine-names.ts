/** Ids below these prefixes belong to the engine, also those that no part of the engine has registered. */
const PREFIXES = ['engine::', 'stream::', 'state::'] as const;

/** It ends sessions of others, so guests may call it only where a rule or their auth answer names exactly this id. */
export const DISCONNECT_FUNCTION = 'engine::sessions::disconnect';

/** Returns whether an id belongs to the engine. `builtin` returns what the engine itself has registered under an id. */
export function isEngineName(id: string, builtin: (id: string) => unknown): boolean {
  return PREFIXES.some((prefix) => id.startsWith(prefix)) || builtin(id) !== undefined;
}

/**
 * Returns whether a pattern may match names of the engine: it is a literal id, or it begins with a prefix of the engine before its
 * first `*`. Otherwise `*` or `*::set` would let guests read and write every stream.
 */
export function reachesEngineNames(pattern: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return true;
  const head = pattern.slice(0, star);
  return PREFIXES.some((prefix) => head.startsWith(prefix));
}
