import { REGISTRY_ID_BYTES } from '../shared-limits.js';

/**
 * An object parsed from JSON. Read it only with the functions below. They read own properties, so a key `__proto__` in a frame has no
 * effect.
 */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns the own value of a key, or `undefined` if it is absent. */
export function field(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Returns the own value of a key. `null` counts as absent. */
export function optionalField(object: JsonObject, key: string): unknown {
  return field(object, key) ?? undefined;
}

export function stringField(object: JsonObject, key: string): string | undefined {
  const value = field(object, key);
  return typeof value === 'string' ? value : undefined;
}

/** Returns the length of a text in UTF-8 bytes. A lone surrogate counts three bytes, as it is written. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) continue;
    bytes += unit < 0x800 ? 1 : 2;
    // A surrogate pair has two units and four bytes.
    if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(at + 1))) {
      at++;
    }
  }
  return bytes;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}

/** Returns whether a function id, trigger id or trigger type id is within its bound. */
export function isRegistryId(id: string): boolean {
  if (id.length * 3 <= REGISTRY_ID_BYTES) return true;
  return id.length <= REGISTRY_ID_BYTES && utf8Length(id) <= REGISTRY_ID_BYTES;
}

const NAMESPACE_BYTES = 256;
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Returns whether a value may name a namespace. */
export function isNamespace(name: unknown): name is string {
  if (typeof name !== 'string' || name.length > NAMESPACE_BYTES || name.trim() === '' || CONTROL.test(name)) return false;
  return utf8Length(name) <= NAMESPACE_BYTES && (name as string & { isWellFormed(): boolean }).isWellFormed();
}

/** Returns the error message for a field that {@link isNamespace} refuses. */
export function namespaceRule(field: string): string {
  return `${field} must be a name of 1 to ${NAMESPACE_BYTES} UTF-8 bytes that is not blank and has no control characters; leave it out for "default"`;
}

const EXCERPT_UNITS = 64;

/**
 * Returns the beginning of a text, for an error message or a log line. It is short, and well-formed even if the cut or the sender broke a
 * surrogate pair.
 */
export function excerpt(text: string): string {
  return (text.slice(0, EXCERPT_UNITS) as string & { toWellFormed(): string }).toWellFormed();
}
