/** A JSON schema (draft 7, which every editor knows), or a part of one. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** A reference to a variable of the environment, anywhere in a text. The engine replaces it before it reads the file. */
const ENVIRONMENT_PATTERN = '\\$\\{[^}:]+(:[^}]*)?\\}';
const ENVIRONMENT = { type: 'string', pattern: ENVIRONMENT_PATTERN } as const;

const WORDS: Readonly<Record<string, string>> = {
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys',
};

/** Keywords that describe a value and allow or refuse nothing. */
const NOTES = ['title', 'description', 'default'];

/**
 * Returns a schema that also accepts references such as `${PORT:3112}` in place of each value. An editor sees the text of the file. There,
 * `port: ${PORT:3112}` is a text and not a number.
 */
export function withEnvironment(schema: JsonSchema): JsonSchema {
  const own = mapSchemas(schema, withEnvironment);
  if (own.enum !== undefined || own.const !== undefined) return orEnvironment(own);
  const types = typesOf(own);
  if (types.every((type) => type === 'null')) return own;
  if (types.includes('string')) {
    const isStrict = own.pattern !== undefined || Number(own.minLength ?? 0) > 1;
    return isStrict ? orEnvironment(own) : own;
  }
  const wanted = types.filter((type) => type !== 'null').map((type) => WORDS[String(type)] ?? String(type));
  // Editors show this text in place of the pattern.
  const patternErrorMessage = `Expected ${wanted.join(' or ')}, or a reference such as \${NAME:default}.`;
  return { ...own, type: [...types, 'string'], pattern: ENVIRONMENT_PATTERN, patternErrorMessage };
}

/** Returns a schema without descriptions and defaults, in which every mapping may have further keys. It leaves references as they are. */
export function withUnknownKeys(schema: JsonSchema): JsonSchema {
  const { additionalProperties: _strict, ...own } = mapSchemas(schema, withUnknownKeys);
  return Object.fromEntries(Object.entries(own).filter(([keyword]) => !NOTES.includes(keyword)));
}

function typesOf({ type }: JsonSchema): readonly unknown[] {
  if (type === undefined) return [];
  return Array.isArray(type) ? type : [type];
}

/** Adds a reference as an alternative. The notes stay at the top, where editors look for them. */
function orEnvironment(schema: JsonSchema): JsonSchema {
  const entries = Object.entries(schema);
  const notes = entries.filter(([keyword]) => NOTES.includes(keyword));
  const checks = entries.filter(([keyword]) => !NOTES.includes(keyword));
  return { ...Object.fromEntries(notes), anyOf: [Object.fromEntries(checks), ENVIRONMENT] };
}

/** Applies a function to the schemas of keys, of entries of lists, and of alternatives. Conditions (`if`) stay as they are. */
function mapSchemas(schema: JsonSchema, change: (schema: JsonSchema) => JsonSchema): JsonSchema {
  return Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => {
      if (keyword === 'properties' && isSchema(value))
        return [keyword, Object.fromEntries(Object.entries(value).map(([key, each]) => [key, changed(each, change)]))];
      if (keyword === 'items' || keyword === 'then') return [keyword, changed(value, change)];
      if ((keyword === 'anyOf' || keyword === 'allOf') && Array.isArray(value))
        return [keyword, value.map((each) => changed(each, change))];
      return [keyword, value];
    }),
  );
}

function changed(value: unknown, change: (schema: JsonSchema) => JsonSchema): unknown {
  return isSchema(value) ? change(value) : value;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
