import type { LmdbStoreConfig } from './kv-keys.js';
import type { RedisStoreConfig } from './redis-keys.js';

export type StoreConfig =
  | { readonly kind: 'memory' }
  | LmdbStoreConfig
  | RedisStoreConfig
  /** A store that the code in this file creates. `path` is absolute. `config` is for that code alone. */
  | { readonly kind: 'module'; readonly path: string; readonly config: Readonly<Record<string, unknown>> };
