import { ENGINE_PREFIXES } from '../../config/engine-prefixes.js';

/** Ends the sessions of others. A guest may call it only where a rule or its auth answer names exactly this id. */
export const DISCONNECT_FUNCTION = 'engine::sessions::disconnect';

/** Returns whether an id belongs to the engine. `builtin` returns the engine's own function with this id. */
export function isEngineName(id: string, builtin: (id: string) => unknown): boolean {
  return ENGINE_PREFIXES.some((prefix) => id.startsWith(prefix)) || builtin(id) !== undefined;
}
