import { LIMITS } from '@rivulet/protocol';
import { z } from 'zod';
import { AddressRanges } from '../../structures/ip-address.js';

/** Longest wait that a key may have: one day, in milliseconds. */
const DAY_MS = 86_400_000;
export const YEAR_MS = 365 * DAY_MS;
export const MIB = 1_048_576;

/** Each description is the bound of its key. Error messages and docs/configuration.md both show it. */
export function wholeNumber(fallback: number, min: number, max: number) {
  const bound = `a whole number from ${min} to ${max}`;
  return z.int({ error: bound }).min(min, { error: bound }).max(max, { error: bound }).default(fallback).describe(bound);
}

/** A wait in milliseconds. */
export function milliseconds(fallback: number, { min = 1, max = DAY_MS }: { readonly min?: number; readonly max?: number } = {}) {
  return wholeNumber(fallback, min, max);
}

/** A size in bytes. */
export function byteCount(fallback: number, min: number, max: number) {
  return wholeNumber(fallback, min, max);
}

/** A rate for one second, whose default depends on the listener. */
export function optionalRate(max: number) {
  const bound = `a whole number from 0 to ${max}`;
  return z.int({ error: bound }).min(0, { error: bound }).max(max, { error: bound }).nullish().describe(bound);
}

export function flag(fallback: boolean) {
  const bound = 'true or false';
  return z.boolean({ error: bound }).default(fallback).describe(bound);
}

export function oneOf<const T extends readonly [string, ...string[]]>(values: T, fallback: T[number]) {
  const bound = values.join(' or ');
  return z
    .enum(values, { error: bound })
    .default(() => fallback)
    .describe(bound);
}

const isFunctionId = (id: string) => id !== '' && Buffer.byteLength(id) <= LIMITS.registryIdBytes;
/** Bounds of an id in the JSON schema, which counts characters. A text has at most as many characters as bytes. */
export const ID_LENGTH = { minLength: 1, maxLength: LIMITS.registryIdBytes } as const;

const HOST_BOUND = 'an IP address or host name';
export const host = z
  .string({ error: HOST_BOUND })
  .min(1, { error: HOST_BOUND })
  .max(255, { error: HOST_BOUND })
  .default('127.0.0.1')
  .describe(HOST_BOUND);

const FUNCTION_BOUND = `a function id of 1 to ${LIMITS.registryIdBytes} bytes, or null for none`;
export const functionId = z
  .string({ error: FUNCTION_BOUND })
  .refine(isFunctionId, { error: FUNCTION_BOUND })
  .meta(ID_LENGTH)
  .nullish()
  .describe(FUNCTION_BOUND);

/** A function that decides. A key that was left empty has the value null, and an operator who wants no decision must leave the key out. */
const RULING_BOUND = `a function id of 1 to ${LIMITS.registryIdBytes} bytes, or no such key`;
export const rulingFunctionId = z
  .string({ error: RULING_BOUND })
  .refine(isFunctionId, { error: RULING_BOUND })
  .meta(ID_LENGTH)
  .optional()
  .describe(RULING_BOUND);

const ORIGINS_BOUND = 'a list of exact origins such as https://app.example.com';
export const origins = z
  .array(z.string({ error: ORIGINS_BOUND }).regex(/^[a-z][a-z0-9+.-]*:\/\/[^/?#\s*]+$/, { error: ORIGINS_BOUND }), { error: ORIGINS_BOUND })
  .max(1_000, { error: ORIGINS_BOUND })
  .default([])
  .describe(ORIGINS_BOUND);

const PROXIES_BOUND = 'a list of at most 100 addresses or ranges such as 10.0.0.0/8';
export const trustedProxies = z
  .array(
    z.string({ error: PROXIES_BOUND }).refine((range) => AddressRanges.isRange(range), { error: PROXIES_BOUND }),
    {
      error: PROXIES_BOUND,
    },
  )
  .max(100, { error: PROXIES_BOUND })
  .default([])
  .describe(PROXIES_BOUND);

const HOSTS_BOUND = 'a list of at most 100 host names or addresses, without ports';
export const allowedHosts = z
  .array(z.string({ error: HOSTS_BOUND }).regex(/^(\[[\da-fA-F:.]{2,45}\]|[\w.-]{1,255})$/, { error: HOSTS_BOUND }), { error: HOSTS_BOUND })
  .max(100, { error: HOSTS_BOUND })
  .default([])
  .describe(HOSTS_BOUND);

const PREFIX_PATH_BOUND = 'a path such as /rt, without . and .. as parts and without a slash at its end, or null for none';
export const pathPrefix = z
  .string({ error: PREFIX_PATH_BOUND })
  .regex(/^(\/(?!\.{1,2}(?:\/|$))[\w.~-]{1,64}){1,8}$/, { error: PREFIX_PATH_BOUND })
  .nullish()
  .describe(PREFIX_PATH_BOUND);

/** The schema of an `adapter`. Its keys depend on its name, so `read-adapter.ts` checks them. */
export const adapter = z.unknown().optional().describe('an adapter: name (or class) or module, and config');

/** The schema of `auth`, which `read-jwt.ts` checks, because an unknown key in it is always an error. */
export const auth = z.unknown().optional().describe('a mapping with the key jwt');
