import { LIMITS } from './limits.js';

/** An object parsed from JSON. Read it through these functions only: they look at own properties, so `__proto__` in a frame changes nothing. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The own value of a key; `undefined` when absent. */
export function field(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** The same with `null` read as absent. */
export function optionalField(object: JsonObject, key: string): unknown {
  return field(object, key) ?? undefined;
}

export function stringField(object: JsonObject, key: string): string | undefined {
  const value = field(object, key);
  return typeof value === 'string' ? value : undefined;
}

const encoder = new TextEncoder();

/** Length in UTF-8 bytes. */
export function utf8Length(text: string): number {
  // Every UTF-16 unit takes at most three bytes: short texts need no encoding to be known to fit.
  return encoder.encode(text).length;
}

/** Whether a function id, trigger id or trigger type id is within bounds. */
export function isRegistryId(id: string): boolean {
  if (id.length * 3 <= LIMITS.registryIdBytes) return true;
  return id.length <= LIMITS.registryIdBytes && utf8Length(id) <= LIMITS.registryIdBytes;
}
