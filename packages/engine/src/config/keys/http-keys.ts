import { LIMITS } from '@rivulet/protocol';
import { z } from 'zod';
import { convertedKey, type Fields, type Keys, key } from './key.js';
import { allowedHosts, flag, host, ID_LENGTH, milliseconds, pathPrefix, trustedProxies, wholeNumber } from './value-schemas.js';

export interface CorsConfig {
  readonly allowedOrigins: readonly string[] | 'any';
  readonly allowedMethods: readonly string[] | 'any';
  /** Whether pages of allowed origins may send cookies and other credentials. */
  readonly credentials: boolean;
  /** Seconds for which a browser may keep the answer to a preflight. */
  readonly maxAgeS: number;
}

export interface MiddlewareConfig {
  readonly functionId: string;
  readonly priority: number;
}

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
    .refine((id) => id !== '' && Buffer.byteLength(id) <= LIMITS.registryIdBytes, { error: MIDDLEWARE_BOUND })
    .meta(ID_LENGTH),
  phase: z.literal('preHandler', { error: MIDDLEWARE_BOUND }).default('preHandler'),
  priority: z.int({ error: MIDDLEWARE_BOUND }).default(0),
});
const middlewareList = z
  .array(middleware, { error: MIDDLEWARE_BOUND })
  .max(100, { error: MIDDLEWARE_BOUND })
  .default([])
  .describe(MIDDLEWARE_BOUND);

/** Keys of `rivulet-http`. */
export const HTTP_KEYS = {
  port: key('port', wholeNumber(3111, 0, 65_535), 'Port of HTTP triggers. 0 means any free port'),
  host: key('host', host, 'Address to listen on. `0.0.0.0` or `::` means all interfaces'),
  defaultTimeoutMs: key('default_timeout', milliseconds(30_000), 'Time until a response must begin. After it, the answer is 504'),
  concurrentRequests: convertedKey(
    'concurrency_request_limit',
    wholeNumber(1_024, 0, 1_048_576),
    'Requests that are served at the same time, until their responses begin. Further requests wait. 0 is an error',
    { read: (limit) => Math.max(1, limit), write: (limit) => limit },
  ),
  cors: convertedKey(
    'cors',
    corsRules,
    'Rules for pages of other origins. Without them any page may call, but never with credentials ([http.md](http.md#pages-of-other-origins))',
    { read: readCors, write: writeCors },
  ),
  allowedHosts: key(
    'allowed_hosts',
    allowedHosts,
    'Further names that `Host` may have. Checked only if this is set ([above](#who-may-connect))',
  ),
  pathPrefix: key('path_prefix', pathPrefix, 'Path prefix of a proxy that does not remove it. Other paths are served as they are'),
  exposeErrorMessages: key(
    'expose_error_messages',
    flag(false),
    'Send clients the errors of functions as they were thrown. Otherwise clients get a fixed message and an `error_id`',
  ),
  trustedProxies: key(
    'trusted_proxies',
    trustedProxies,
    'Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` the listener believes ([operations.md](operations.md#behind-a-proxy))',
  ),
  middleware: convertedKey(
    'middleware',
    middlewareList,
    'Functions that are called before every trigger, each `{ function_id, phase: preHandler, priority }`, by ascending `priority` (default 0)',
    { read: readMiddleware, write: writeMiddleware },
  ),
} as const satisfies Keys;

export interface HttpConfig extends Fields<typeof HTTP_KEYS> {}

function readCors(cors: z.output<typeof corsRules>): CorsConfig | undefined {
  if (cors == null) return undefined;
  const { allowed_origins: allowedOrigins, allowed_methods: allowedMethods, credentials, max_age: maxAgeS } = cors;
  return { allowedOrigins: listOrAny(allowedOrigins), allowedMethods: listOrAny(allowedMethods), credentials, maxAgeS };
}

function listOrAny(list: readonly string[] | null | undefined): readonly string[] | 'any' {
  return list == null || list.length === 0 || list.includes('*') ? 'any' : list;
}

function writeCors(cors: CorsConfig | undefined): unknown {
  if (cors === undefined) return null;
  const list = (names: readonly string[] | 'any') => (names === 'any' ? [] : names);
  const { credentials, maxAgeS } = cors;
  return { allowed_origins: list(cors.allowedOrigins), allowed_methods: list(cors.allowedMethods), credentials, max_age: maxAgeS };
}

/** Returns the middleware functions in the order of their calls. */
function readMiddleware(list: z.output<typeof middlewareList>): readonly MiddlewareConfig[] {
  return list
    .map(({ function_id: functionId, priority }) => ({ functionId, priority }))
    .sort((left, right) => left.priority - right.priority);
}

function writeMiddleware(list: readonly MiddlewareConfig[]): unknown {
  return list.map(({ functionId, priority }) => ({ function_id: functionId, phase: 'preHandler', priority }));
}
