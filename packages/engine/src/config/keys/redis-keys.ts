import { z } from 'zod';
import { convertedKey, type Fields, type Keys, key, specialKey } from './key.js';
import { milliseconds, oneOf } from './value-schemas.js';

const REDIS_URL_BOUND = 'a redis:// or rediss:// address';
const redisUrl = z
  .string({ error: REDIS_URL_BOUND })
  .max(4_096, { error: REDIS_URL_BOUND })
  .regex(/^rediss?:\/\/[^\s]+$/, { error: REDIS_URL_BOUND })
  // oxlint-disable-next-line eslint/no-restricted-globals -- canParse never throws
  .refine((url) => URL.canParse(url), { error: REDIS_URL_BOUND })
  .default('redis://localhost:6379')
  .describe(REDIS_URL_BOUND);

const NODES_BOUND = 'a list of at most 100 addresses such as redis-1:6379';
const nodes = z
  .array(z.string({ error: NODES_BOUND }).regex(/^[^\s/@]+:\d{1,5}$/, { error: NODES_BOUND }), { error: NODES_BOUND })
  .max(100, { error: NODES_BOUND })
  .default([])
  .describe(NODES_BOUND);

const MASTER_BOUND = '1 to 128 of the characters A-Z a-z 0-9 . _ -';
const masterName = z
  .string({ error: MASTER_BOUND })
  .regex(/^[\w.-]{1,128}$/, { error: MASTER_BOUND })
  .default('mymaster')
  .describe(MASTER_BOUND);

const PREFIX_BOUND = '1 to 64 of the characters A-Z a-z 0-9 . _ : -';
const keyPrefix = (prefix: string) =>
  z
    .string({ error: PREFIX_BOUND })
    .regex(/^[\w.:-]{1,64}$/, { error: PREFIX_BOUND })
    .default(prefix)
    .describe(PREFIX_BOUND);

function redisKeys(prefix: string) {
  return {
    url: convertedKey(
      'redis_url',
      redisUrl,
      'Server, with user, password and database if needed. `rediss` means TLS. `print-config` shows no password',
      { read: (url) => url, write: withoutPassword },
    ),
    mode: specialKey(
      'mode',
      oneOf(['standalone', 'sentinel', 'cluster'], 'standalone'),
      '`sentinel` finds the primary by sentinels. `cluster` spreads the groups over a Redis Cluster. Both ignore host and port of `redis_url`',
    ),
    nodes: specialKey('nodes', nodes, 'The sentinels in the order of use, or some nodes of the cluster, which name the others'),
    masterName: specialKey('master_name', masterName, 'Name of the primary at the sentinels'),
    keyPrefix: key(
      'key_prefix',
      keyPrefix(prefix),
      'Prefix of all keys and channels. Engines with the same prefix share everything, others share nothing',
    ),
    commandTimeoutMs: key('command_timeout_ms', milliseconds(2_000), 'Time after which a command fails with `STORE_UNAVAILABLE`'),
    connectTimeoutMs: key('connect_timeout_ms', milliseconds(5_000), 'The same for the connection'),
  } as const satisfies Keys;
}

/** Keys of the adapter `redis`. The prefixes differ, so that streams and state of one Redis never share a key. */
export const REDIS_KEYS = { stream: redisKeys('rivulet:streams'), state: redisKeys('rivulet:state') } as const;

/** All engines that name the same server and prefix share this store. */
export interface RedisStoreConfig extends Fields<typeof REDIS_KEYS.stream> {
  readonly kind: 'redis';
  /** Addresses as `host:port`. With them, `url` gives everything but host and port. */
  readonly servers?: RedisServers;
}

export type RedisServers =
  /** Sentinels, with the name by which they know the primary. */
  | { readonly kind: 'sentinels'; readonly nodes: readonly string[]; readonly name: string }
  /** Some nodes of a Redis Cluster. */
  | { readonly kind: 'cluster'; readonly nodes: readonly string[] };

/** Removes the password, because the output may end up anywhere. */
function withoutPassword(url: string): string {
  return url.replace(/^(\w+:\/\/[^/@]*:)[^/@]*@/, '$1***@');
}
