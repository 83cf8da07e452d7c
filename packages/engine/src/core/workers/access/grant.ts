import { isJsonObject, isRegistryId, LIMITS, optionalField, utf8Length } from '@rivulet/protocol';
import { DEFAULT_NAMESPACE } from '../../fabric/function-registry.js';
import { readExpiry, readIdentity, refuses } from './auth-answer.js';
import { ExposedPattern } from './exposed-pattern.js';

/** What the auth function lets one session do. */
export interface Grant {
  readonly allowedFunctions: ReadonlySet<string>;
  readonly forbiddenFunctions: ReadonlySet<string>;
  /** Patterns of `namespaces.default`, beside the exact ids. */
  readonly allowedPatterns: readonly ExposedPattern[];
  /** Patterns of the other namespaces. */
  readonly namespaces: ReadonlyMap<string, readonly ExposedPattern[]>;
  /** `undefined`: all. */
  readonly allowedTriggerTypes: ReadonlySet<string> | undefined;
  readonly mayRegisterTriggerTypes: boolean;
  readonly mayRegisterFunctions: boolean;
  /** Functions of the session are registered below it. */
  readonly prefix: string | undefined;
  /** Middleware, hooks and called functions get it. */
  readonly context: unknown;
  /** Name of the user behind the session; `undefined` when the auth function gives none. */
  readonly identity: string | undefined;
  /** Unix milliseconds at which the session ends; `undefined`: never. */
  readonly expiresAtMs: number | undefined;
}

/** A listener that asks nobody: everything may be registered, and `expose_functions` alone says what may be called. */
export const OPEN_GRANT: Grant = {
  allowedFunctions: new Set(),
  forbiddenFunctions: new Set(),
  allowedPatterns: [],
  namespaces: new Map(),
  allowedTriggerTypes: undefined,
  mayRegisterTriggerTypes: true,
  mayRegisterFunctions: true,
  prefix: undefined,
  context: {},
  identity: undefined,
  expiresAtMs: undefined,
};

export type GrantReading =
  | { readonly kind: 'grant'; readonly grant: Grant }
  /** It says no, or is not of the shape of spec RB §5.2. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Functions of a guest live in this one. */
const NAMESPACE = DEFAULT_NAMESPACE;

class WrongField extends Error {}

/** The one place where the answer of an auth function is read. An absent field and `null` mean its default; a wrong type lets nobody in. */
export function readGrant(result: unknown): GrantReading {
  if (!isJsonObject(result)) return { kind: 'refused', reason: 'result is not an object' };
  if (refuses(result)) return { kind: 'refused', reason: 'unauthorized' };
  try {
    return { kind: 'grant', grant: grantOf(result) };
  } catch (error) {
    if (!(error instanceof WrongField)) throw error;
    return { kind: 'refused', reason: `${error.message} has the wrong type` };
  }
}

function grantOf(result: Readonly<Record<string, unknown>>): Grant {
  const namespaces = namespacesOf(result);
  const elsewhere = namespaces.size > 0 && !namespaces.has(NAMESPACE);
  const types = optionalField(result, 'allowed_trigger_types');
  const compiled = new Map(Array.from(namespaces, ([name, patterns]) => [name, patterns.map((pattern) => new ExposedPattern(pattern))]));
  return {
    allowedFunctions: new Set(texts(result, 'allowed_functions')),
    forbiddenFunctions: new Set(texts(result, 'forbidden_functions')),
    allowedPatterns: compiled.get(NAMESPACE) ?? [],
    namespaces: compiled,
    allowedTriggerTypes: types === undefined ? undefined : new Set(texts(result, 'allowed_trigger_types')),
    mayRegisterTriggerTypes: flag(result, 'allow_trigger_type_registration', false) && !elsewhere,
    mayRegisterFunctions: flag(result, 'allow_function_registration', true) && !elsewhere,
    prefix: prefixOf(result),
    context: optionalField(result, 'context') ?? {},
    ...wellFormed('identity', readIdentity(result)),
    ...wellFormed('expires_at_ms', readExpiry(result)),
  };
}

function wellFormed<Reading extends object>(key: string, reading: Reading | 'malformed'): Reading {
  if (reading === 'malformed') throw new WrongField(key);
  return reading;
}

/** Ids, or patterns with or without `match("…")` around them, by namespace. */
function namespacesOf(result: Readonly<Record<string, unknown>>): ReadonlyMap<string, readonly string[]> {
  const value = optionalField(result, 'namespaces') ?? {};
  if (!isJsonObject(value)) throw new WrongField('namespaces');
  return new Map(Object.keys(value).map((name) => [name, texts(value, name).map(unquoted)]));
}

function unquoted(pattern: string): string {
  const found = /^match\((?:"([^"]+)"|'([^']+)')\)$/.exec(pattern);
  return found?.[1] ?? found?.[2] ?? pattern;
}

function texts(object: Readonly<Record<string, unknown>>, key: string): readonly string[] {
  const value = optionalField(object, key) ?? [];
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string' && isRegistryId(each))) throw new WrongField(key);
  return value as string[];
}

function flag(object: Readonly<Record<string, unknown>>, key: string, standard: boolean): boolean {
  const value = optionalField(object, key) ?? standard;
  if (typeof value !== 'boolean') throw new WrongField(key);
  return value;
}

/** An empty one would put the session among everybody's functions, which is hardly what an auth function means that gives one. */
function prefixOf(object: Readonly<Record<string, unknown>>): string | undefined {
  const value = optionalField(object, 'function_registration_prefix');
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '' || utf8Length(value) > LIMITS.registrationPrefixBytes)
    throw new WrongField('function_registration_prefix');
  return value;
}
