import type { z } from 'zod';
import type { KeyPath } from './config-source.js';
import type { EntryForm, Findings } from './findings.js';

/** A mapping of the file, with its place and the format of its entry. */
export interface Section {
  readonly value: unknown;
  readonly path: KeyPath;
  readonly form: EntryForm;
}

export type Mapping = Readonly<Record<string, unknown>>;

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads a section by its schema. Absent and null mean all defaults. Returns `undefined` if the section is wrong, and reports why. */
export function readSection<S extends z.ZodObject>(schema: S, section: Section, findings: Findings): z.output<S> | undefined {
  const { value, path, form } = section;
  if (value !== undefined && value !== null && !isMapping(value)) {
    findings.problem(path, `${shown(value)} is not valid; expected a mapping of keys`);
    return undefined;
  }
  // oxlint-disable-next-line eslint/no-restricted-globals -- values of a YAML file hold no functions
  const input = structuredClone(value ?? {});
  const first = schema.safeParse(input);
  if (first.success) return first.data;
  for (const issue of first.error.issues) {
    const at = issue.path.filter((segment) => typeof segment !== 'symbol');
    if (issue.code !== 'unrecognized_keys') {
      findings.problem([...path, ...at], wrongValue(at.at(-1), valueAt(input, at), issue.message));
      continue;
    }
    const holder = valueAt(input, at);
    for (const key of issue.keys) {
      findings.unknownKey(form, [...path, ...at, key], knownKeys(schema, at));
      if (isMapping(holder)) Reflect.deleteProperty(holder, key);
    }
  }
  return schema.safeParse(input).data;
}

/**
 * Warns that the engine uses another value than the file says. Files of other engines may rely on this, so it is no problem. A section
 * without the key, or with `null`, says nothing.
 */
export function warnOfChange(section: Section, key: string, counts: number, reason: string, findings: Findings): void {
  const text = changedValue(section, key, counts);
  if (text !== undefined) findings.warn('value_changed', [...section.path, key], `${text} counts as ${counts}: ${reason}`);
}

/**
 * Refuses a value that the engine cannot use as it is. An entry with `class`, and `--lenient-config`, get a warning and the value `counts`.
 */
export function refuseChange(section: Section, key: string, counts: number, reason: string, findings: Findings): void {
  const text = changedValue(section, key, counts);
  if (text === undefined) return;
  const path = [...section.path, key];
  if (section.form === 'class') findings.warn('value_changed', path, `${text} counts as ${counts}: ${reason}`);
  else findings.problemUnlessLenient('value_changed', path, `${text} would count as ${counts}: ${reason}; write ${counts}`);
}

/** Returns the value as it stands in the file, or `undefined` if it is absent or the engine uses it as it is. */
function changedValue({ value }: Section, key: string, counts: number): string | undefined {
  const written = isMapping(value) ? (value[key] ?? undefined) : undefined;
  if (written === undefined || written === counts) return undefined;
  return typeof written === 'number' ? String(written) : shown(written);
}

/** Warns of entries of `allowed_origins` that no page sends, so they allow nothing. `*` and `null` have a meaning. */
export function warnOfOrigins(origins: readonly string[] | 'any', path: KeyPath, findings: Findings): void {
  if (origins === 'any') return;
  for (const [index, origin] of origins.entries()) {
    if (origin === 'null' || isSent(origin)) continue;
    const form = 'a browser sends scheme and host in lower case, no default port and no path, such as https://app.example.com';
    findings.warn('origin_never_sent', [...path, 'allowed_origins', index], `${shown(origin)} allows no page: ${form}`);
  }
}

function isSent(origin: string): boolean {
  return /^(?!wss?:)[a-z][a-z0-9+.-]*:\/\/[^/?#\sA-Z]+$/.test(origin) && !/^(?:http:.*:80|https:.*:443)$/.test(origin);
}

/** Keys whose values may contain a password. No message shows them. */
const SECRET_KEYS: ReadonlySet<string | number | undefined> = new Set(['redis_url']);

function wrongValue(key: string | number | undefined, value: unknown, expected: string): string {
  if (SECRET_KEYS.has(key)) return `this value is not valid; expected ${expected}`;
  const quoted = typeof value === 'string' && value.trim() !== '' && /number|true or false/.test(expected);
  const remedy = quoted ? '; write it without quotes' : '';
  return `${shown(value)} is not valid; expected ${expected}${remedy}`;
}

function knownKeys(schema: z.ZodObject, path: readonly (string | number)[]): readonly string[] {
  let at: unknown = schema;
  for (const segment of path) at = unwrap(at)?.shape[segment];
  return Object.keys(unwrap(at)?.shape ?? {});
}

function unwrap(schema: unknown): z.ZodObject | undefined {
  let at: unknown = schema;
  while (at !== null && typeof at === 'object' && 'unwrap' in at && typeof at.unwrap === 'function') at = at.unwrap();
  return at !== null && typeof at === 'object' && 'shape' in at ? (at as z.ZodObject) : undefined;
}

function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  let at = value;
  for (const segment of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = Reflect.get(at, segment);
  }
  return at;
}

/** Returns a value as it stands in the file, short enough for one line. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
