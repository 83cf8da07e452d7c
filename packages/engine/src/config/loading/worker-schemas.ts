import { LIMITS } from '@rivulet/protocol';
import { z } from 'zod';
import { AddressRanges } from '../../structures/ip-address.js';

/** Longest wait that a key may have: one day, in milliseconds. */
const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const MIB = 1_048_576;

/** Directories of the kv adapter when the file names none. They differ, so that streams and state never share data. */
export const DEFAULT_STORE_PATHS = { stream: './data/streams', state: './data/state' } as const;

/** Flush interval of a relaxed store, in milliseconds. */
const SAVE_INTERVAL = { fallback: 5_000, floor: 100, ceiling: 3_600_000 } as const;

/** Each description is the bound of its key. Error messages and docs/configuration.md both show it. */
function wholeNumber(fallback: number, min: number, max: number) {
  const bound = `a whole number from ${min} to ${max}`;
  return z.int({ error: bound }).min(min, { error: bound }).max(max, { error: bound }).default(fallback).describe(bound);
}

/** A rate whose default depends on the listener. */
function optionalRate(max: number) {
  const bound = `a whole number from 0 to ${max}`;
  return z.int({ error: bound }).min(0, { error: bound }).max(max, { error: bound }).nullish().describe(bound);
}

function flag(fallback: boolean) {
  const bound = 'true or false';
  return z.boolean({ error: bound }).default(fallback).describe(bound);
}

function oneOf<const T extends readonly [string, ...string[]]>(values: T, fallback: T[number]) {
  const bound = values.join(' or ');
  return z
    .enum(values, { error: bound })
    .default(() => fallback)
    .describe(bound);
}

const HOST_BOUND = 'an IP address or host name';
const host = z
  .string({ error: HOST_BOUND })
  .min(1, { error: HOST_BOUND })
  .max(255, { error: HOST_BOUND })
  .default('127.0.0.1')
  .describe(HOST_BOUND);

const FUNCTION_BOUND = `a function id of 1 to ${LIMITS.registryIdBytes} bytes, or null for none`;
const functionId = z
  .string({ error: FUNCTION_BOUND })
  .refine((id) => id !== '' && Buffer.byteLength(id) <= LIMITS.registryIdBytes, { error: FUNCTION_BOUND })
  .nullish()
  .describe(FUNCTION_BOUND);

/**
 * A key that was left empty has the value null. Without a function, nobody decides, so an operator who means that must leave the key out.
 */
const RULING_BOUND = `a function id of 1 to ${LIMITS.registryIdBytes} bytes, or no such key`;
const rulingFunctionId = z
  .string({ error: RULING_BOUND })
  .refine((id) => id !== '' && Buffer.byteLength(id) <= LIMITS.registryIdBytes, { error: RULING_BOUND })
  .optional()
  .describe(RULING_BOUND);

const ORIGINS_BOUND = 'a list of exact origins such as https://app.example.com';
const origins = z
  .array(z.string({ error: ORIGINS_BOUND }).regex(/^[a-z][a-z0-9+.-]*:\/\/[^/?#\s*]+$/, { error: ORIGINS_BOUND }), { error: ORIGINS_BOUND })
  .max(1_000, { error: ORIGINS_BOUND })
  .default([])
  .describe(ORIGINS_BOUND);

const PROXIES_BOUND = 'a list of at most 100 addresses or ranges such as 10.0.0.0/8';
const trustedProxies = z
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
const allowedHosts = z
  .array(z.string({ error: HOSTS_BOUND }).regex(/^(\[[\da-f:.]{2,45}\]|[\w.-]{1,255})$/i, { error: HOSTS_BOUND }), { error: HOSTS_BOUND })
  .max(100, { error: HOSTS_BOUND })
  .default([])
  .describe(HOSTS_BOUND);

const PREFIX_PATH_BOUND = 'a path such as /rt, without . and .. as parts and without a slash at its end, or null for none';
const pathPrefix = z
  .string({ error: PREFIX_PATH_BOUND })
  .regex(/^(\/(?!\.{1,2}(?:\/|$))[\w.~-]{1,64}){1,8}$/, { error: PREFIX_PATH_BOUND })
  .nullish()
  .describe(PREFIX_PATH_BOUND);

export const TOKEN_BOUND = '1 to 1024 printable ASCII characters without spaces, in quotes, or no such key';

const ADAPTER_BOUND = 'an adapter: name (or class) or module, and config';

/** Waits are in milliseconds, sizes in bytes. `adapter` is read apart, because its keys depend on its name. */
export const streamSchema = z.strictObject({
  port: wholeNumber(3112, 0, 65_535),
  host,
  path_prefix: pathPrefix,
  auth_function: functionId,
  adapter: z.unknown().optional().describe(ADAPTER_BOUND),
  auth_fail_open: flag(false),
  auth_reject_mode: oneOf(['close', 'http'], 'close'),
  auth_timeout_ms: wholeNumber(10_000, 1, DAY_MS),
  join_fail_closed: flag(false),
  join_timeout_ms: wholeNumber(10_000, 1, DAY_MS),
  max_subscriptions_per_connection: wholeNumber(LIMITS.subscriptionsPerConnection, 1, 65_536),
  max_frames_per_second: wholeNumber(1_000, 0, 1_000_000),
  max_joins_per_second: wholeNumber(200, 0, 1_000_000),
  max_bytes_per_second: wholeNumber(MIB, 0, 1_024 * MIB),
  max_buffered_bytes: wholeNumber(65_536, 65_536, 1_024 * MIB),
  max_message_bytes: wholeNumber(LIMITS.clientMessageBytes, 1_024, 64 * MIB),
  allowed_origins: origins,
  allowed_hosts: allowedHosts,
  trusted_proxies: trustedProxies,
  allow_anonymous: flag(false),
  ping_interval_ms: wholeNumber(25_000, 1, DAY_MS),
  pong_timeout_ms: wholeNumber(10_000, 1, DAY_MS),
  inject_id: flag(false),
  backend_timeout_ms: wholeNumber(30_000, 1, DAY_MS),
  backend_grace_ms: wholeNumber(30_000, 0, DAY_MS),
  backend_fallback: flag(false),
  log_max_changes: wholeNumber(10_000, 1, 10_000_000),
  log_max_age_ms: wholeNumber(600_000, 1, YEAR_MS),
  log_max_bytes: wholeNumber(268_435_456, 1_024, 1_048_576 * MIB),
  tombstone_retention_ms: wholeNumber(604_800_000, 1, 10 * YEAR_MS),
  idempotency_retention_ms: wholeNumber(600_000, 1, YEAR_MS),
  drain_delay_ms: wholeNumber(0, 0, 16_000),
  drain_spread_ms: wholeNumber(10_000, 0, 16_000),
});

const TRIGGER_TYPES_BOUND = 'a list of at most 1000 names of trigger types, or no such key';
const triggerTypes = z
  .array(
    z
      .string({ error: TRIGGER_TYPES_BOUND })
      .refine((id) => id !== '' && Buffer.byteLength(id) <= LIMITS.registryIdBytes, { error: TRIGGER_TYPES_BOUND }),
    { error: TRIGGER_TYPES_BOUND },
  )
  .max(1_000, { error: TRIGGER_TYPES_BOUND })
  .optional()
  .describe(TRIGGER_TYPES_BOUND);

/** Each rule is read apart, because an unknown key in a rule is always an error. */
export const rbacSchema = z.strictObject({
  auth_function_id: rulingFunctionId,
  auth_timeout_ms: wholeNumber(10_000, 1, DAY_MS),
  auth_error_frame: flag(false),
  expose_functions: z.array(z.unknown(), { error: 'a list of rules' }).nullish().describe('a list of at most 1000 rules'),
  on_function_registration_function_id: rulingFunctionId,
  on_trigger_registration_function_id: rulingFunctionId,
  on_trigger_type_registration_function_id: rulingFunctionId,
  hook_timeout_ms: wholeNumber(10_000, 1, DAY_MS),
  allowed_trigger_types: triggerTypes,
});

export const workerManagerSchema = z.strictObject({
  port: wholeNumber(49_134, 0, 65_535),
  host,
  middleware_function_id: functionId,
  rbac: z.unknown().optional().describe('rules of who may register and call what'),
  expose_error_messages: flag(false),
  // The token is read apart, because no message may show it.
  auth_token: z.unknown().optional().describe(TOKEN_BOUND),
  allow_anonymous: flag(false),
  handshake_timeout_ms: wholeNumber(5_000, 1, DAY_MS),
  max_message_bytes: wholeNumber(LIMITS.workerMessageBytes, 1_024, 64 * MIB),
  max_in_flight_calls: wholeNumber(LIMITS.inFlightCalls, 1, 1_048_576),
  max_frames_per_second: optionalRate(1_000_000),
  max_calls_per_second: optionalRate(1_000_000),
  max_bytes_per_second: optionalRate(1_024 * MIB),
  allowed_origins: origins,
  allowed_hosts: allowedHosts,
  trusted_proxies: trustedProxies,
  ping_interval_ms: wholeNumber(25_000, 1, DAY_MS),
  pong_timeout_ms: wholeNumber(10_000, 1, DAY_MS),
});

export const stateSchema = z.strictObject({
  adapter: z.unknown().optional().describe(ADAPTER_BOUND),
  triggers_enabled: flag(true),
  max_value_bytes: z
    .int({ error: 'a whole number of bytes, at least 1' })
    .min(1, { error: 'a whole number of bytes, at least 1' })
    .nullish()
    .describe('a whole number of bytes, at least 1'),
  save_interval_ms: wholeNumber(5_000, 100, 3_600_000),
});

const CORS_BOUND = 'a list of at most 1000 texts';
const METHODS_BOUND = 'a list of at most 1000 names of methods such as GET, or *';
const corsMethods = z
  .array(z.string({ error: METHODS_BOUND }).regex(/^[!#$%&'*+.^_`|~\w-]{1,64}$/, { error: METHODS_BOUND }), { error: METHODS_BOUND })
  .max(1_000, { error: METHODS_BOUND })
  .nullish();
const corsList = z
  .array(z.string({ error: CORS_BOUND }), { error: CORS_BOUND })
  .max(1_000, { error: CORS_BOUND })
  .nullish();

const CORS_KEYS = 'allowed_origins and allowed_methods, each a list; credentials, true or false; max_age, seconds';
const corsRules = z
  .strictObject({
    allowed_origins: corsList,
    allowed_methods: corsMethods,
    credentials: flag(false),
    max_age: wholeNumber(600, 0, 86_400),
  })
  .refine(
    ({ credentials, allowed_origins: list }) => !credentials || (list != null && list.length > 0 && !list.includes('*')),
    'credentials: true needs exact origins in allowed_origins',
  )
  .nullish()
  .describe(CORS_KEYS);

const MIDDLEWARE_BOUND = 'a list of at most 100, each with function_id, phase preHandler and a whole number as priority';
const middleware = z.strictObject({
  function_id: z
    .string({ error: MIDDLEWARE_BOUND })
    .refine((id) => id !== '' && Buffer.byteLength(id) <= LIMITS.registryIdBytes, { error: MIDDLEWARE_BOUND }),
  phase: z.literal('preHandler', { error: MIDDLEWARE_BOUND }).default('preHandler'),
  priority: z.int({ error: MIDDLEWARE_BOUND }).default(0),
});

export const httpSchema = z.strictObject({
  port: wholeNumber(3111, 0, 65_535),
  host,
  default_timeout: wholeNumber(30_000, 1, DAY_MS),
  concurrency_request_limit: wholeNumber(1_024, 0, 1_048_576),
  cors: corsRules,
  allowed_hosts: allowedHosts,
  path_prefix: pathPrefix,
  expose_error_messages: flag(false),
  trusted_proxies: trustedProxies,
  middleware: z.array(middleware, { error: MIDDLEWARE_BOUND }).max(100, { error: MIDDLEWARE_BOUND }).default([]).describe(MIDDLEWARE_BOUND),
});

/** Returns the flush interval. A value that is no positive number means the default, as in other engines. */
function saveInterval(value: unknown): number {
  if (typeof value !== 'number' || !(value > 0)) return SAVE_INTERVAL.fallback;
  return Math.min(Math.max(Math.floor(value), SAVE_INTERVAL.floor), SAVE_INTERVAL.ceiling);
}

export const SAVE_INTERVAL_BOUND = `a number, held within ${SAVE_INTERVAL.floor} to ${SAVE_INTERVAL.ceiling}; anything else is the default`;
const PATH_BOUND = 'a directory';

function kvSchema(path: string) {
  return z.strictObject({
    store_method: oneOf(['in_memory', 'file_based'], 'in_memory'),
    file_path: z
      .string({ error: PATH_BOUND })
      .min(1, { error: PATH_BOUND })
      .max(4_096, { error: PATH_BOUND })
      .default(path)
      .describe(PATH_BOUND),
    durability: oneOf(['commit', 'relaxed'], 'commit'),
    save_interval_ms: z.unknown().optional().transform(saveInterval).describe(SAVE_INTERVAL_BOUND),
    min_free_bytes: wholeNumber(64 * MIB, 0, 1_048_576 * MIB),
    min_free_percent: wholeNumber(2, 0, 50),
    ballast_bytes: wholeNumber(16 * MIB, 0, 1_024 * MIB),
    channel_size: z.unknown().optional().describe('anything; ignored'),
  });
}

export const kvSchemas = { stream: kvSchema(DEFAULT_STORE_PATHS.stream), state: kvSchema(DEFAULT_STORE_PATHS.state) } as const;

const REDIS_URL_BOUND = 'a redis:// or rediss:// address';
const PREFIX_BOUND = '1 to 64 of the characters A-Z a-z 0-9 . _ : -';

const NODES_BOUND = 'a list of at most 100 addresses such as redis-1:6379';
const MASTER_BOUND = '1 to 128 of the characters A-Z a-z 0-9 . _ -';

function redisSchema(prefix: string) {
  return z.strictObject({
    redis_url: z
      .string({ error: REDIS_URL_BOUND })
      .max(4_096, { error: REDIS_URL_BOUND })
      .regex(/^rediss?:\/\/[^\s]+$/, { error: REDIS_URL_BOUND })
      // oxlint-disable-next-line eslint/no-restricted-globals -- canParse never throws
      .refine((url) => URL.canParse(url), { error: REDIS_URL_BOUND })
      .default('redis://localhost:6379')
      .describe(REDIS_URL_BOUND),
    mode: oneOf(['standalone', 'sentinel', 'cluster'], 'standalone'),
    nodes: z
      .array(z.string({ error: NODES_BOUND }).regex(/^[^\s/@]+:\d{1,5}$/, { error: NODES_BOUND }), { error: NODES_BOUND })
      .max(100, { error: NODES_BOUND })
      .default([])
      .describe(NODES_BOUND),
    master_name: z
      .string({ error: MASTER_BOUND })
      .regex(/^[\w.-]{1,128}$/, { error: MASTER_BOUND })
      .default('mymaster')
      .describe(MASTER_BOUND),
    key_prefix: z
      .string({ error: PREFIX_BOUND })
      .regex(/^[\w.:-]{1,64}$/, { error: PREFIX_BOUND })
      .default(prefix)
      .describe(PREFIX_BOUND),
    command_timeout_ms: wholeNumber(2_000, 1, DAY_MS),
    connect_timeout_ms: wholeNumber(5_000, 1, DAY_MS),
  });
}

/** The prefixes differ, so that streams and state of one Redis never share a key. */
export const redisSchemas = { stream: redisSchema('rivulet:streams'), state: redisSchema('rivulet:state') } as const;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export const LOG_FORMATS = ['default', 'json'] as const;
