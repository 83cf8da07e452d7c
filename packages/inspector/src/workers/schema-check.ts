import { isJsonObject } from '@rivulet/protocol';

/**
 * Checks a JSON value against a JSON schema of a function, in the page. Workers send the schemas, so the check has bounds and never throws.
 * A keyword that it does not know is reported in `unchecked`: the page then says that only the function itself can decide.
 */
export interface SchemaReport {
  /** Problems, each with its place. At most `MOST_PROBLEMS`. */
  readonly problems: readonly SchemaProblem[];
  /** Keywords of the schema that the check left out, sorted. */
  readonly unchecked: readonly string[];
}

export interface SchemaProblem {
  /** Place in the value, such as `writes[1].by`. Empty for the whole value. */
  readonly place: string;
  readonly message: string;
}

type JsonObject = Readonly<Record<string, unknown>>;

/** Most steps from a schema into its parts, and through references. */
const MOST_DEPTH = 24;
/** Most parts of schemas that one check visits. Alternatives inside alternatives would make it run for very long otherwise. */
const MOST_STEPS = 4_000;
const MOST_PROBLEMS = 8;

/** Keywords that say nothing about the value, and those that the check applies. */
const KNOWN = new Set(
  (
    '$schema $id $ref $defs definitions $comment title description default examples deprecated readOnly writeOnly format ' +
    'contentEncoding contentMediaType type enum const required properties additionalProperties items minItems maxItems minLength ' +
    'maxLength minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minProperties maxProperties allOf anyOf oneOf nullable'
  ).split(' '),
);

/** Returns what is wrong with a value, and what of the schema was not checked. */
export function checkAgainst(schema: unknown, value: unknown): SchemaReport {
  const check = new Check(schema);
  const problems = check.problemsOf(schema, value, '', 0);
  return { problems: problems.slice(0, MOST_PROBLEMS), unchecked: [...check.unchecked].sort() };
}

/** Returns the schema that a local reference such as `#/$defs/room` names, or `undefined`. */
export function resolveReference(root: unknown, reference: unknown): unknown {
  if (reference === '#') return root;
  if (typeof reference !== 'string' || !reference.startsWith('#/')) return undefined;
  let at: unknown = root;
  for (const part of reference.slice(2).split('/').slice(0, MOST_DEPTH)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(at)) at = at[Number(name)];
    else if (isJsonObject(at) && Object.hasOwn(at, name)) at = at[name];
    else return undefined;
  }
  return at;
}

/** Returns the types that a schema allows, or an empty list if it names none. */
export function typesOf(schema: JsonObject): readonly string[] {
  const { type, nullable } = schema;
  const types = Array.isArray(type) ? type.filter((each) => typeof each === 'string') : typeof type === 'string' ? [type] : [];
  return nullable === true && types.length > 0 ? [...types, 'null'] : types;
}

class Check {
  readonly unchecked = new Set<string>();
  readonly #root: unknown;
  #steps = 0;

  constructor(root: unknown) {
    this.#root = root;
  }

  problemsOf(schema: unknown, value: unknown, place: string, depth: number): SchemaProblem[] {
    if (schema === false) return [{ place, message: 'is not allowed' }];
    if (!isJsonObject(schema)) return [];
    if (depth > MOST_DEPTH || ++this.#steps > MOST_STEPS) {
      this.unchecked.add('parts that lie too deep');
      return [];
    }
    for (const keyword of Object.keys(schema)) if (!KNOWN.has(keyword)) this.unchecked.add(keyword);
    const types = typesOf(schema);
    if (types.length > 0 && !types.some((type) => isOfType(value, type))) return [{ place, message: `must be ${types.join(' or ')}` }];
    return [
      ...this.#referenced(schema, value, place, depth),
      ...fixedValues(schema, value, place),
      ...numberProblems(schema, value, place),
      ...textProblems(schema, value, place),
      ...this.#listProblems(schema, value, place, depth),
      ...this.#objectProblems(schema, value, place, depth),
      ...this.#alternatives(schema, value, place, depth),
    ];
  }

  #referenced({ $ref: reference }: JsonObject, value: unknown, place: string, depth: number): SchemaProblem[] {
    if (reference === undefined) return [];
    const target = resolveReference(this.#root, reference);
    if (target !== undefined) return this.problemsOf(target, value, place, depth + 1);
    this.unchecked.add('$ref');
    return [];
  }

  #listProblems({ items, minItems, maxItems }: JsonObject, value: unknown, place: string, depth: number): SchemaProblem[] {
    if (!Array.isArray(value)) return [];
    const problems = sizeProblems(value.length, minItems, maxItems, 'entries', place);
    for (const [index, entry] of value.entries()) {
      if (problems.length >= MOST_PROBLEMS || this.#steps > MOST_STEPS) break;
      problems.push(...this.problemsOf(items, entry, `${place}[${index}]`, depth + 1));
    }
    return problems;
  }

  #objectProblems(schema: JsonObject, value: unknown, place: string, depth: number): SchemaProblem[] {
    if (!isJsonObject(value)) return [];
    const { required, properties, additionalProperties, minProperties, maxProperties } = schema;
    const problems = sizeProblems(Object.keys(value).length, minProperties, maxProperties, 'fields', place);
    for (const name of Array.isArray(required) ? required : [])
      if (typeof name === 'string' && !Object.hasOwn(value, name)) problems.push({ place: fieldOf(place, name), message: 'is missing' });
    const known = isJsonObject(properties) ? properties : {};
    for (const [name, entry] of Object.entries(value)) {
      if (problems.length >= MOST_PROBLEMS || this.#steps > MOST_STEPS) break;
      const rule = Object.hasOwn(known, name) ? known[name] : schema.patternProperties === undefined ? additionalProperties : undefined;
      problems.push(...this.problemsOf(rule, entry, fieldOf(place, name), depth + 1));
    }
    return problems;
  }

  #alternatives({ allOf, anyOf, oneOf }: JsonObject, value: unknown, place: string, depth: number): SchemaProblem[] {
    const problems = schemasIn(allOf).flatMap((part) => this.problemsOf(part, value, place, depth + 1));
    for (const [parts, most] of [[schemasIn(anyOf), Number.POSITIVE_INFINITY] as const, [schemasIn(oneOf), 1] as const]) {
      if (parts.length === 0) continue;
      const results = parts.map((part) => this.problemsOf(part, value, place, depth + 1));
      const fitting = results.filter((result) => result.length === 0).length;
      if (fitting > most) problems.push({ place, message: `must fit one alternative, and fits ${fitting}` });
      if (fitting > 0) continue;
      const [only] = results;
      problems.push(...(results.length === 1 && only !== undefined ? only : [{ place, message: 'fits no alternative of the schema' }]));
    }
    return problems;
  }
}

function schemasIn(list: unknown): readonly unknown[] {
  return Array.isArray(list) ? list : [];
}

function fieldOf(place: string, name: string): string {
  return place === '' ? name : `${place}.${name}`;
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isJsonObject(value);
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type;
}

function fixedValues(schema: JsonObject, value: unknown, place: string): SchemaProblem[] {
  const text = JSON.stringify(value);
  const problems: SchemaProblem[] = [];
  if (Object.hasOwn(schema, 'const') && JSON.stringify(schema.const) !== text)
    problems.push({ place, message: `must be ${shortText(schema.const)}` });
  if (Array.isArray(schema.enum) && !schema.enum.some((each) => JSON.stringify(each) === text))
    problems.push({ place, message: `must be one of ${shortText(schema.enum)}` });
  return problems;
}

function shortText(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= 100 ? text : `${text.slice(0, 99)}…`;
}

function numberProblems(schema: JsonObject, value: unknown, place: string): SchemaProblem[] {
  if (typeof value !== 'number') return [];
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  const problems: SchemaProblem[] = [];
  if (typeof minimum === 'number' && value < minimum) problems.push({ place, message: `must be at least ${minimum}` });
  if (typeof maximum === 'number' && value > maximum) problems.push({ place, message: `must be at most ${maximum}` });
  if (typeof exclusiveMinimum === 'number' && value <= exclusiveMinimum)
    problems.push({ place, message: `must be above ${exclusiveMinimum}` });
  if (typeof exclusiveMaximum === 'number' && value >= exclusiveMaximum)
    problems.push({ place, message: `must be below ${exclusiveMaximum}` });
  if (typeof multipleOf === 'number' && multipleOf > 0 && !Number.isInteger(value / multipleOf))
    problems.push({ place, message: `must be a multiple of ${multipleOf}` });
  return problems;
}

function textProblems({ minLength, maxLength }: JsonObject, value: unknown, place: string): SchemaProblem[] {
  return typeof value === 'string' ? sizeProblems(Array.from(value).length, minLength, maxLength, 'characters', place) : [];
}

function sizeProblems(size: number, least: unknown, most: unknown, what: string, place: string): SchemaProblem[] {
  if (typeof least === 'number' && size < least) return [{ place, message: `must have at least ${least} ${what}` }];
  if (typeof most === 'number' && size > most) return [{ place, message: `must have at most ${most} ${what}` }];
  return [];
}
