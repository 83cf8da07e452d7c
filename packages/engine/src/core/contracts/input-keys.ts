import { excerpt, isJsonObject, LIMITS, nearMiss } from '@rivulet/protocol';
import { z } from 'zod';

/** Keys that the engine or an SDK adds to any payload or config (spec WP §1.8, SM §7.1). */
const ALWAYS = new Set(['_caller_worker_id', '_caller', 'message_type']);

/** Says what happens to an unknown key. A near miss of a known key is always refused. */
export interface KeyPolicy {
  /** True: every unknown key is refused. */
  readonly strict: boolean;
  /** Runs for each unknown key that the engine ignores. */
  readonly ignored: (key: string) => void;
}

/** Counts how many more unknown keys of one payload are compared with the known keys. The comparison costs time. */
interface Comparisons {
  left: number;
}

/** The objects below an object: the key that holds them, and the keys that they may have. */
type Children = readonly (readonly [key: string, keys: InputKeys])[];

/** The keys of each variant of a union, by the value of the key that tells the variants apart. */
interface Variants {
  readonly discriminator: string;
  readonly keys: ReadonlyMap<unknown, InputKeys>;
}

/**
 * The keys that an object may have, read from its schema. It also knows the keys of the objects in its fields and lists. Values that
 * belong to users are not searched.
 *
 * An object of a discriminated union may have the keys of its own variant only. An operation `set` therefore has no key `by`.
 */
export class InputKeys {
  readonly #known: ReadonlySet<string>;
  readonly #lists: Children;
  readonly #objects: Children;
  readonly #variants: Variants | undefined;

  private constructor(known: ReadonlySet<string>, lists: Children, objects: Children, variants: Variants | undefined) {
    this.#known = known;
    this.#lists = lists;
    this.#objects = objects;
    this.#variants = variants;
  }

  /** Returns the keys of a schema; `undefined` when its objects may have any key, or when it describes no object. */
  static of(schema: z.ZodType): InputKeys | undefined {
    const objects = objectsOf(schema);
    if (objects.length === 0 || objects.some(({ def }) => def.catchall !== undefined)) return undefined;
    const fields = objects.flatMap(({ shape }) => Object.entries(shape as Readonly<Record<string, z.ZodType>>));
    const lists = new Map<string, InputKeys>();
    const objectFields = new Map<string, InputKeys>();
    for (const [key, field] of fields) {
      const list = plainOf(field);
      const isList = list instanceof z.ZodArray;
      const entries = InputKeys.of(isList ? (list.element as z.ZodType) : list);
      if (entries !== undefined) (isList ? lists : objectFields).set(key, entries);
    }
    return new InputKeys(new Set(fields.map(([key]) => key)), [...lists], [...objectFields], variantsOf(schema));
  }

  /** Returns the reason why a value is refused; `undefined` when its keys are allowed. */
  refusal(value: unknown, policy: KeyPolicy): string | undefined {
    return this.#refusal(value, policy, { left: LIMITS.unknownKeysLogged });
  }

  #refusal(value: unknown, policy: KeyPolicy, comparisons: Comparisons): string | undefined {
    if (!isJsonObject(value)) return undefined;
    const variant = this.#variantOf(value);
    if (variant !== undefined) return variant.#refusal(value, policy, comparisons);
    for (const key in value) {
      if (this.#known.has(key) || ALWAYS.has(key)) continue;
      if (comparisons.left-- <= 0) return policy.strict ? 'there are too many unknown keys' : undefined;
      const near = nearMiss(key, this.#known);
      if (near !== undefined) return `unknown key ${JSON.stringify(excerpt(key))}; did you mean ${JSON.stringify(near)}?`;
      if (policy.strict) return `unknown key ${JSON.stringify(excerpt(key))}; known are ${[...this.#known].join(', ')}`;
      policy.ignored(excerpt(key));
    }
    return this.#refusalBelow(value, policy, comparisons);
  }

  #refusalBelow(value: Readonly<Record<string, unknown>>, policy: KeyPolicy, comparisons: Comparisons): string | undefined {
    for (const [key, keys] of this.#objects) {
      const refusal = Object.hasOwn(value, key) ? keys.#refusal(value[key], policy, comparisons) : undefined;
      if (refusal !== undefined) return `${key}: ${refusal}`;
    }
    for (const [key, entries] of this.#lists) {
      const list = Object.hasOwn(value, key) ? value[key] : undefined;
      if (!Array.isArray(list)) continue;
      for (const [index, entry] of list.entries()) {
        const refusal = entries.#refusal(entry, policy, comparisons);
        if (refusal !== undefined) return `${key}[${index}]: ${refusal}`;
      }
    }
    return undefined;
  }

  #variantOf(value: Readonly<Record<string, unknown>>): InputKeys | undefined {
    if (this.#variants === undefined) return undefined;
    const { discriminator, keys } = this.#variants;
    return Object.hasOwn(value, discriminator) ? keys.get(value[discriminator]) : undefined;
  }
}

/** Returns a schema without `optional`, `nullable` and similar wrappers. */
function plainOf(schema: z.ZodType): z.ZodType {
  const { innerType } = schema.def as { readonly innerType?: z.ZodType };
  return innerType === undefined ? schema : plainOf(innerType);
}

function objectsOf(schema: z.ZodType): z.ZodObject[] {
  const plain = plainOf(schema);
  if (plain instanceof z.ZodObject) return [plain];
  return plain instanceof z.ZodUnion ? plain.options.flatMap((option) => objectsOf(option as z.ZodType)) : [];
}

function variantsOf(schema: z.ZodType): Variants | undefined {
  const plain = plainOf(schema);
  if (!(plain instanceof z.ZodDiscriminatedUnion)) return undefined;
  const { discriminator } = plain.def;
  const keys = new Map<unknown, InputKeys>();
  for (const variant of objectsOf(plain)) {
    const name: unknown = variant.shape[discriminator];
    const own = InputKeys.of(variant);
    if (name instanceof z.ZodLiteral && own !== undefined) keys.set(name.value, own);
  }
  return { discriminator, keys };
}
