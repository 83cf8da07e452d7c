/**
 * A key of the configuration stands in one table, such as `STREAM_KEYS`. Everything else follows from its entry:
 *
 * - `schemaOf` checks a section of the file. Its errors show the bound of the key.
 * - `Fields` is the type of the effective configuration, and `readFields` fills it in.
 * - `writeKeys` prints the configuration in the form of a file.
 * - `npm run schema` writes the JSON schema for editors from the entries.
 * - A test compares the tables of docs/configuration.md and the sample rivulet.yaml with the entries.
 *
 * Example: with the entry `pageSize: key('page_size', wholeNumber(100, 1, 1_000), 'Items of one page')`, a file may have `page_size`, and
 * the engine reads `config.pageSize`.
 */
import { z } from 'zod';

interface KeyBase<Name extends string, Value> {
  /** Name in the file. */
  readonly name: Name;
  /** Checks a value of the file and fills in the default. The description of the schema is the bound of the key. */
  readonly schema: z.ZodType<Value>;
  /** Text for docs/configuration.md, in Markdown. */
  readonly meaning: string;
}

/** A key that is one field of the effective configuration. */
export interface FieldKey<Name extends string, Value, Field> extends KeyBase<Name, Value> {
  readonly kind: 'field';
  /** Returns the field for a checked value of the file. */
  read(value: Value): Field;
  /** Returns the value that a file needs for this field. `undefined` leaves the key out. */
  write(field: Field): unknown;
}

/** A key that code beside the table reads and prints, because it needs more than its own value. */
export interface SpecialKey<Name extends string, Value> extends KeyBase<Name, Value> {
  readonly kind: 'special';
}

export type Keys = Readonly<Record<string, FieldKey<string, unknown, unknown> | SpecialKey<string, unknown>>>;

/** The fields of the effective configuration, without those of special keys. */
export type Fields<K extends Keys> = {
  readonly [F in keyof K as K[F]['kind'] extends 'field' ? F : never]: K[F] extends { read(value: never): infer Field }
    ? Frozen<Field>
    : never;
};

type Frozen<Field> = Field extends readonly (infer Entry)[] ? readonly Entry[] : Field;

/** The checked values of a section, by their names in the file. */
export type Values<K extends Keys> = { readonly [F in keyof K as K[F]['name']]: z.output<K[F]['schema']> };

type NameOfSpecial<K extends Keys> = { [F in keyof K]: K[F]['kind'] extends 'special' ? K[F]['name'] : never }[keyof K];

/** Declares a key whose field is the value of the file. A value may be absent. Its field is then `undefined`, and it is printed as null. */
export function key<const Name extends string, Value>(
  name: Name,
  schema: z.ZodType<Value>,
  meaning: string,
): FieldKey<Name, Value, Exclude<Value, null>> {
  return convertedKey(name, schema, meaning, {
    read: (value) => (value ?? undefined) as Exclude<Value, null>,
    write: (field): unknown => field ?? null,
  });
}

/** Declares a key that the printed configuration leaves out while it has no value. */
export function optionalKey<const Name extends string, Value>(
  name: Name,
  schema: z.ZodType<Value>,
  meaning: string,
): FieldKey<Name, Value, Exclude<Value, null>> {
  return { ...key(name, schema, meaning), write: (field): unknown => field };
}

/** Declares a key whose field has another form than the value of the file. */
export function convertedKey<const Name extends string, Value, Field>(
  name: Name,
  schema: z.ZodType<Value>,
  meaning: string,
  ways: { read(value: Value): Field; write(field: Field): unknown },
): FieldKey<Name, Value, Field> {
  return { kind: 'field', name, schema, meaning, ...ways };
}

/** Declares a key that code beside the table reads. */
export function specialKey<const Name extends string, Value>(
  name: Name,
  schema: z.ZodType<Value>,
  meaning: string,
): SpecialKey<Name, Value> {
  return { kind: 'special', name, schema, meaning };
}

/** Returns the schema of a section. It refuses unknown keys. */
export function schemaOf<K extends Keys>(keys: K): z.ZodObject<{ [F in keyof K as K[F]['name']]: K[F]['schema'] }, z.core.$strict> {
  const shape = Object.fromEntries(Object.values(keys).map(({ name, schema }) => [name, schema]));
  return z.strictObject(shape) as unknown as ReturnType<typeof schemaOf<K>>;
}

/** Returns the fields of the effective configuration for the checked values of a section. */
export function readFields<K extends Keys>(keys: K, values: Values<K>): Fields<K> {
  const byName: Readonly<Record<string, unknown>> = values;
  const fields = Object.entries(keys).flatMap(([field, entry]) =>
    entry.kind === 'field' ? [[field, entry.read(byName[entry.name])]] : [],
  );
  return Object.fromEntries(fields) as Fields<K>;
}

/** Returns a section of a file with these fields, in the order of the table. `special` has the values of special keys that are set. */
export function writeKeys<K extends Keys>(
  keys: K,
  fields: Fields<K>,
  special: Readonly<Partial<Record<NameOfSpecial<K>, unknown>>>,
): Readonly<Record<string, unknown>> {
  const byField: Readonly<Record<string, unknown>> = fields;
  const byName: Readonly<Record<string, unknown>> = special;
  const written = Object.entries(keys).map(([field, entry]) => [
    entry.name,
    entry.kind === 'field' ? entry.write(byField[field]) : byName[entry.name],
  ]);
  return Object.fromEntries(written.filter(([, value]) => value !== undefined));
}
