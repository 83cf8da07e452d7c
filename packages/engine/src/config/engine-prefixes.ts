import { Wildcard } from '../structures/wildcard.js';

/** Prefixes of engine names. An id with such a prefix belongs to the engine, even if the engine has not registered it. */
export const ENGINE_PREFIXES = ['engine::', 'stream::', 'state::'] as const;

/** Engine functions that rules of guests name most often. */
const USUAL = [
  ...['get', 'set', 'delete', 'update', 'list', 'list_groups', 'list_all', 'send', 'batch'].map((name) => `stream::${name}`),
  ...['get', 'set', 'delete', 'update', 'list', 'list_groups'].map((name) => `state::${name}`),
  ...['functions', 'workers', 'triggers'].map((name) => `engine::${name}::list`),
  'engine::health::check',
  'publish',
];

/**
 * Returns whether a pattern may match engine names. It must be a literal id, or begin with an engine prefix before its first `*`. Otherwise
 * `*` or `*::set` would let guests read and write every stream.
 */
export function reachesEngineNames(pattern: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return true;
  const head = pattern.slice(0, star);
  return ENGINE_PREFIXES.some((prefix) => head.startsWith(prefix));
}

/** Returns an engine name that a pattern seems to expose and does not. Returns `undefined` when there is none. */
export function hiddenEngineName(pattern: string): string | undefined {
  if (reachesEngineNames(pattern)) return undefined;
  const wildcard = new Wildcard(pattern);
  return USUAL.find((id) => wildcard.matches(id));
}
