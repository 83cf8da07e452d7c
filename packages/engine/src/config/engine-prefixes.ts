import { Wildcard } from '../structures/wildcard.js';

/** Ids below these prefixes belong to the engine, also those that no part of the engine has registered. */
export const ENGINE_PREFIXES = ['engine::', 'stream::', 'state::'] as const;

/** Ids of the engine that rules of guests name most. */
const USUAL = [
  ...['get', 'set', 'delete', 'update', 'list', 'list_groups', 'list_all', 'send', 'batch'].map((name) => `stream::${name}`),
  ...['get', 'set', 'delete', 'update', 'list', 'list_groups'].map((name) => `state::${name}`),
  ...['functions', 'workers', 'triggers'].map((name) => `engine::${name}::list`),
  'engine::health::check',
  'publish',
];

/**
 * Returns whether a pattern may match names of the engine: it is a literal id, or it begins with a prefix of the engine before its
 * first `*`. Otherwise `*` or `*::set` would let guests read and write every stream.
 */
export function reachesEngineNames(pattern: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return true;
  const head = pattern.slice(0, star);
  return ENGINE_PREFIXES.some((prefix) => head.startsWith(prefix));
}

/** Returns a name of the engine that a pattern seems to expose, and does not; `undefined` when there is none. */
export function hiddenEngineName(pattern: string): string | undefined {
  if (reachesEngineNames(pattern)) return undefined;
  const wildcard = new Wildcard(pattern);
  return USUAL.find((id) => wildcard.matches(id));
}
