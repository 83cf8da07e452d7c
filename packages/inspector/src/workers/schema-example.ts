import { isJsonObject } from '@rivulet/protocol';
import { checkAgainst, resolveReference, type SchemaReport, typesOf } from './schema-check.js';

/** An input for a function, made from its schema, and what the check against the schema says about it. */
export interface Example extends SchemaReport {
  readonly value: unknown;
}

type JsonObject = Readonly<Record<string, unknown>>;

const MOST_DEPTH = 12;
/** Most parts of an example. A longer one helps nobody. */
const MOST_PARTS = 200;
/** Longest text that is made to reach a `minLength`, in characters. */
const MOST_TEXT = 1_000;
const MOST_ENTRIES = 20;

const FORMATS: Readonly<Record<string, string>> = {
  'date-time': '2026-01-31T12:00:00Z',
  date: '2026-01-31',
  time: '12:00:00Z',
  duration: 'PT5M',
  email: 'ann@example.com',
  hostname: 'example.com',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'urn:example:1',
  uuid: '7d5b1d58-4f3c-4a0b-9a6e-0b1f6f1f0c11',
};

/** Returns an input with the required fields of a schema. Without a schema it is an empty object, which most functions take. */
export function exampleOf(schema: unknown): Example {
  const value = isJsonObject(schema) ? new Maker(schema).make(schema, 0) : {};
  return { value, ...checkAgainst(schema, value) };
}

class Maker {
  readonly #root: JsonObject;
  #parts = 0;

  constructor(root: JsonObject) {
    this.#root = root;
  }

  make(schema: unknown, depth: number): unknown {
    if (!isJsonObject(schema) || depth > MOST_DEPTH || ++this.#parts > MOST_PARTS) return {};
    for (const given of givenValues(schema)) if (this.#fits(schema, given)) return given;
    if (schema.$ref !== undefined) return this.make(resolveReference(this.#root, schema.$ref), depth + 1);
    const merged = this.#mergeAll(schema, depth);
    const alternative = this.#alternative(merged, depth);
    return alternative === undefined ? this.#ofType(merged, depth) : alternative.value;
  }

  #fits(schema: JsonObject, value: unknown): boolean {
    const { $defs, definitions } = this.#root;
    return checkAgainst({ ...schema, $defs, definitions }, value).problems.length === 0;
  }

  /** Returns a schema with the fields of all parts of `allOf`. */
  #mergeAll(schema: JsonObject, depth: number): JsonObject {
    const { allOf, ...own } = schema;
    if (!Array.isArray(allOf)) return schema;
    let merged: JsonObject = own;
    for (const part of allOf.slice(0, MOST_ENTRIES)) {
      const target: unknown = isJsonObject(part) && part.$ref !== undefined ? resolveReference(this.#root, part.$ref) : part;
      if (!isJsonObject(target) || depth > MOST_DEPTH) continue;
      const { properties, required, ...others } = this.#mergeAll(target, depth + 1);
      merged = {
        ...merged,
        ...others,
        properties: { ...objectOf(merged.properties), ...objectOf(properties) },
        required: [...listOf(merged.required), ...listOf(required)],
      };
    }
    return merged;
  }

  /** Returns the example of the first alternative that fits the whole schema, or else of the first one. */
  #alternative(schema: JsonObject, depth: number): { readonly value: unknown } | undefined {
    const { anyOf, oneOf, ...own } = schema;
    const alternatives = [...listOf(anyOf), ...listOf(oneOf)].slice(0, MOST_ENTRIES);
    let first: { readonly value: unknown } | undefined;
    for (const alternative of alternatives) {
      const target = isJsonObject(alternative) ? this.#mergeAll({ ...own, allOf: [alternative] }, depth) : own;
      const value = this.make(target, depth + 1);
      first ??= { value };
      if (this.#fits(schema, value)) return { value };
    }
    return first;
  }

  #ofType(schema: JsonObject, depth: number): unknown {
    const types = typesOf(schema);
    const type = types.find((each) => each !== 'null') ?? types[0] ?? impliedType(schema);
    if (type === 'object') return this.#object(schema, depth);
    if (type === 'array') return this.#list(schema, depth);
    if (type === 'string') return textOf(schema);
    if (type === 'number' || type === 'integer') return numberOf(schema, type === 'integer');
    if (type === 'boolean') return true;
    return type === 'null' ? null : {};
  }

  #object(schema: JsonObject, depth: number): JsonObject {
    const properties = objectOf(schema.properties);
    const made: [string, unknown][] = [];
    for (const name of new Set(listOf(schema.required)))
      if (typeof name === 'string') made.push([name, this.make(properties[name] ?? {}, depth + 1)]);
    return Object.fromEntries(made);
  }

  #list({ items, minItems, maxItems }: JsonObject, depth: number): unknown[] {
    if (maxItems === 0) return [];
    const wanted = typeof minItems === 'number' ? Math.min(minItems, MOST_ENTRIES) : 0;
    const count = Math.max(wanted, isJsonObject(items) ? 1 : 0);
    return Array.from({ length: count }, () => this.make(items, depth + 1));
  }
}

/** Returns the values that a schema itself gives, in the order of preference. */
function givenValues(schema: JsonObject): readonly unknown[] {
  const { examples, default: preset, const: only, enum: choices } = schema;
  return [...listOf(examples).slice(0, 4), preset, only, ...listOf(choices).slice(0, 1)].filter((value) => value !== undefined);
}

function impliedType(schema: JsonObject): string | undefined {
  if (schema.properties !== undefined || schema.required !== undefined) return 'object';
  return schema.items === undefined ? undefined : 'array';
}

function textOf({ format, minLength, maxLength }: JsonObject): string {
  const least = typeof minLength === 'number' ? Math.min(minLength, MOST_TEXT) : 0;
  const most = typeof maxLength === 'number' ? maxLength : MOST_TEXT;
  const text = typeof format === 'string' && Object.hasOwn(FORMATS, format) ? (FORMATS[format] ?? 'text') : 'text';
  return text.padEnd(least, '-').slice(0, Math.max(0, most));
}

function numberOf(schema: JsonObject, isWhole: boolean): number {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  const step = typeof multipleOf === 'number' && multipleOf > 0 ? multipleOf : undefined;
  const small = isWhole ? 1 : 0.5;
  const floor = typeof minimum === 'number' ? minimum : typeof exclusiveMinimum === 'number' ? exclusiveMinimum + small : undefined;
  const ceiling = typeof maximum === 'number' ? maximum : typeof exclusiveMaximum === 'number' ? exclusiveMaximum - small : undefined;
  const wanted = Math.min(Math.max(1, floor ?? 1), ceiling ?? Number.MAX_SAFE_INTEGER);
  if (step !== undefined) return Math.ceil(wanted / step) * step;
  return isWhole ? Math.ceil(wanted) : wanted;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function objectOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}
