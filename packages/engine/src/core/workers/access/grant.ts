import { isJsonObject, isRegistryId, LIMITS, optionalField, utf8Length } from '@rivulet/protocol';
import { DEFAULT_NAMESPACE } from '../../fabric/function-registry.js';
import type { CheckedToken } from '../../jwt/token-check.js';
import type { TokenGrants } from '../../jwt/token-grants.js';
import { readExpiry, readIdentity, refuses } from './auth-answer.js';
import { ExposedPattern } from './exposed-pattern.js';

/** The permissions that an auth function gives to one session. */
export interface Grant {
  readonly allowedFunctions: ReadonlySet<string>;
  readonly forbiddenFunctions: ReadonlySet<string>;
  /** Patterns of `namespaces.default`. Exact ids stand in `allowedFunctions`. */
  readonly allowedPatterns: readonly ExposedPattern[];
  /** Patterns of the other namespaces. */
  readonly namespaces: ReadonlyMap<string, readonly ExposedPattern[]>;
  /** Trigger types that the session may bind; `undefined`: all. */
  readonly allowedTriggerTypes: ReadonlySet<string> | undefined;
  readonly mayRegisterTriggerTypes: boolean;
  readonly mayRegisterFunctions: boolean;
  /** Prefix that the engine puts before the ids of the session's functions. */
  readonly prefix: string | undefined;
  /** Data for middleware, hooks and called functions. */
  readonly context: unknown;
  /** Name of the user; `undefined` when the auth function gives none. */
  readonly identity: string | undefined;
  /** End of the session in Unix milliseconds; `undefined`: never. */
  readonly expiresAtMs: number | undefined;
  /** Grants of the token of the session; `undefined` when the listener checks no tokens by itself. */
  readonly token?: TokenGrants | undefined;
}

/**
 * The grant of a listener without an auth function. The session may register everything, and only `expose_functions` says what it may call.
 */
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

/**
 * Returns the grant of a session whose token is right, on a listener without an auth function. The token says what the session may call.
 * Nobody says what it may register, so it registers nothing.
 */
export function grantOfToken({ claims, identity, expiresAtMs, grants }: CheckedToken): Grant {
  const registersNothing = { mayRegisterFunctions: false, allowedTriggerTypes: new Set<string>() };
  return { ...OPEN_GRANT, mayRegisterTriggerTypes: false, ...registersNothing, context: claims, identity, expiresAtMs, token: grants };
}

/** The lists of an auth answer that say what may be called. */
export type CallLists = Pick<Grant, 'allowedFunctions' | 'forbiddenFunctions' | 'allowedPatterns' | 'namespaces'>;

export type GrantReading =
  | { readonly kind: 'grant'; readonly grant: Grant }
  /** The answer refuses, or has not the shape of spec RB §5.2. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Namespace of the functions of guests. */
const NAMESPACE = DEFAULT_NAMESPACE;

class WrongField extends Error {}

/**
 * Reads the answer of an auth function. No other code reads it. An absent field and `null` mean the default. A wrong type refuses. With a
 * token, its subject and its end count, and the session registers only what the answer names.
 */
export function readGrant(result: unknown, token?: CheckedToken): GrantReading {
  if (!isJsonObject(result)) return { kind: 'refused', reason: 'result is not an object' };
  if (refuses(result)) return { kind: 'refused', reason: 'unauthorized' };
  try {
    return { kind: 'grant', grant: token === undefined ? grantOf(result) : withToken(grantOf(result, grantOfToken(token)), token) };
  } catch (error) {
    if (!(error instanceof WrongField)) throw error;
    return { kind: 'refused', reason: `${error.message} has the wrong type` };
  }
}

/**
 * Reads which functions an auth answer allows and forbids. Returns `undefined` when it says nothing about functions, and `malformed` when a
 * list has the wrong type.
 */
export function readCallLists(result: Readonly<Record<string, unknown>>): CallLists | undefined | 'malformed' {
  const isSilent = ['allowed_functions', 'forbidden_functions', 'namespaces'].every((key) => optionalField(result, key) === undefined);
  if (isSilent) return undefined;
  try {
    return callListsOf(result);
  } catch (error) {
    if (!(error instanceof WrongField)) throw error;
    return 'malformed';
  }
}

function withToken(grant: Grant, { identity, expiresAtMs, grants }: CheckedToken): Grant {
  return { ...grant, identity, expiresAtMs: Math.min(expiresAtMs, grant.expiresAtMs ?? expiresAtMs), token: grants };
}

/** `standard`: the values of absent fields. */
function grantOf(result: Readonly<Record<string, unknown>>, standard: Grant = OPEN_GRANT): Grant {
  const lists = callListsOf(result);
  const { namespaces } = lists;
  const elsewhere = namespaces.size > 0 && !namespaces.has(NAMESPACE);
  const types = optionalField(result, 'allowed_trigger_types');
  return {
    ...lists,
    allowedTriggerTypes: types === undefined ? standard.allowedTriggerTypes : new Set(texts(result, 'allowed_trigger_types')),
    mayRegisterTriggerTypes: flag(result, 'allow_trigger_type_registration', false) && !elsewhere,
    mayRegisterFunctions: flag(result, 'allow_function_registration', standard.mayRegisterFunctions) && !elsewhere,
    prefix: prefixOf(result),
    context: optionalField(result, 'context') ?? standard.context,
    ...wellFormed('identity', readIdentity(result)),
    ...wellFormed('expires_at_ms', readExpiry(result)),
  };
}

function callListsOf(result: Readonly<Record<string, unknown>>): CallLists {
  const given = Array.from(namespacesOf(result));
  const namespaces = new Map(given.map(([name, patterns]) => [name, patterns.map((pattern) => new ExposedPattern(pattern))]));
  return {
    allowedFunctions: new Set(texts(result, 'allowed_functions')),
    forbiddenFunctions: new Set(texts(result, 'forbidden_functions')),
    allowedPatterns: namespaces.get(NAMESPACE) ?? [],
    namespaces,
  };
}

function wellFormed<Reading extends object>(key: string, reading: Reading | 'malformed'): Reading {
  if (reading === 'malformed') throw new WrongField(key);
  return reading;
}

/** Returns the ids and patterns of each namespace. A pattern may stand in `match("…")` or alone. */
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

/**
 * Refuses an empty prefix: it would put the session's functions among those of everybody, and an auth function that sends a prefix does not
 * mean that.
 */
function prefixOf(object: Readonly<Record<string, unknown>>): string | undefined {
  const value = optionalField(object, 'function_registration_prefix');
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '' || utf8Length(value) > LIMITS.registrationPrefixBytes)
    throw new WrongField('function_registration_prefix');
  return value;
}
