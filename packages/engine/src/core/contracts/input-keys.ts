import { excerpt, isJsonObject, LIMITS, nearMiss } from '@rivulet/protocol';
import { z } from 'zod';

/** Keys that the engine or an SDK adds to any payload or config (spec WP §1.8, SM §7.1). */
const ALWAYS = new Set(['_caller_worker_id', '_caller', 'message_type']);

/** What happens to keys that nobody knows. */
export interface KeyPolicy {
  /** Every unknown key is refused, not only a near miss. */
  readonly strict: boolean;
  /** Runs for an unknown key that is ignored. */
  readonly ignored: (key: string) => void;
}

/** The keys that an object may have, and those of the objects in it and in its lists, all read from its schema. Values of users are not looked into. */
export class InputKeys {
  readonly #known: ReadonlySet<string>;
  readonly #lists: readonly (readonly [string, InputKeys])[];
  readonly #objects: readonly (readonly [string, InputKeys])[];

  private constructor(
    known: ReadonlySet<string>,
    lists: readonly (readonly [string, InputKeys])[],
    objects: readonly (readonly [string, InputKeys])[],
  ) {
    this.#known = known;
    this.#lists = lists;
    this.#objects = objects;
  }

  /** `undefined`: objects of this schema may have any key, or it describes no object. */
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
    return new InputKeys(new Set(fields.map(([key]) => key)), [...lists], [...objectFields]);
  }

  /** Returns why a value is refused; `undefined`: its keys are fine. */
  refusal(value: unknown, policy: KeyPolicy): string | undefined {
    return this.#refusal(value, policy, { left: LIMITS.unknownKeysLogged });
  }

  /** `budget`: how many more unknown keys of one payload are compared with the known ones. */
  #refusal(value: unknown, policy: KeyPolicy, budget: { left: number }): string | undefined {
    if (!isJsonObject(value)) return undefined;
    for (const key in value) {
      if (this.#known.has(key) || ALWAYS.has(key)) continue;
      if (budget.left-- <= 0) return policy.strict ? 'there are too many unknown keys' : undefined;
      const near = nearMiss(key, this.#known);
      if (near !== undefined) return `unknown key ${JSON.stringify(excerpt(key))}; did you mean ${JSON.stringify(near)}?`;
      if (policy.strict) return `unknown key ${JSON.stringify(excerpt(key))}; known are ${[...this.#known].join(', ')}`;
      policy.ignored(excerpt(key));
    }
    for (const [key, keys] of this.#objects) {
      const refusal = Object.hasOwn(value, key) ? keys.#refusal(value[key], policy, budget) : undefined;
      if (refusal !== undefined) return `${key}: ${refusal}`;
    }
    for (const [key, entries] of this.#lists) {
      const list = Object.hasOwn(value, key) ? value[key] : undefined;
      if (!Array.isArray(list)) continue;
      for (const [index, entry] of list.entries()) {
        const refusal = entries.#refusal(entry, policy, budget);
        if (refusal !== undefined) return `${key}[${index}]: ${refusal}`;
      }
    }
    return undefined;
  }
}

/** A schema without `optional`, `nullable` and the like around it. */
function plainOf(schema: z.ZodType): z.ZodType {
  const { innerType } = schema.def as { readonly innerType?: z.ZodType };
  return innerType === undefined ? schema : plainOf(innerType);
}

function objectsOf(schema: z.ZodType): z.ZodObject[] {
  const plain = plainOf(schema);
  if (plain instanceof z.ZodObject) return [plain];
  return plain instanceof z.ZodUnion ? plain.options.flatMap((option) => objectsOf(option as z.ZodType)) : [];
}
