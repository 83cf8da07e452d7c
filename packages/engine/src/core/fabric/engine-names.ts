import { ENGINE_PREFIXES } from '../../config/engine-prefixes.js';

/** It ends sessions of others, so guests may call it only where a rule or their auth answer names exactly this id. */
export const DISCONNECT_FUNCTION = 'engine::sessions::disconnect';

/** Returns whether an id belongs to the engine. `builtin` returns what the engine itself has registered under an id. */
export function isEngineName(id: string, builtin: (id: string) => unknown): boolean {
  return ENGINE_PREFIXES.some((prefix) => id.startsWith(prefix)) || builtin(id) !== undefined;
}
