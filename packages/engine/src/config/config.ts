import type { NameStyle } from './entry-names.js';
import type { AdminConfig } from './keys/admin-keys.js';
import type { HttpConfig } from './keys/http-keys.js';
import type { LoggingConfig } from './keys/logging-keys.js';
import type { StateConfig } from './keys/state-keys.js';
import type { StreamConfig } from './keys/stream-keys.js';
import type { WorkerManagerConfig } from './keys/worker-listener-keys.js';

export type { AdminConfig } from './keys/admin-keys.js';
export type { GroupBoundsConfig } from './keys/group-bounds-keys.js';
export type { CorsConfig, HttpConfig } from './keys/http-keys.js';
export type { JwtAlgorithm, JwtConfig, JwtGrants, JwtKeySource } from './keys/jwt-keys.js';
export type { LoggingConfig } from './keys/logging-keys.js';
export type { ExposeRule, MetadataCondition, RbacConfig } from './keys/rbac-keys.js';
export type { StateConfig } from './keys/state-keys.js';
export type { StoreConfig } from './keys/store-config.js';
export type { StreamConfig } from './keys/stream-keys.js';
export type { WorkerManagerConfig } from './keys/worker-listener-keys.js';

/** The effective configuration, from which the engine is built. Every default is filled in. */
export interface Config {
  /** Worker listeners, at least one. The first has the main worker port. */
  readonly workerManagers: readonly WorkerManagerConfig[];
  /** `undefined` means no stream listener and no `stream::*` functions. */
  readonly stream: StreamConfig | undefined;
  /** `undefined` means no `state::*` functions. `state` triggers then stay parked. */
  readonly state: StateConfig | undefined;
  /** Whether the engine provides `publish` and `subscribe` triggers. */
  readonly pubsub: boolean;
  /** `undefined` means no HTTP listener. `http` triggers then wait for a provider. */
  readonly http: HttpConfig | undefined;
  /** `undefined` means no admin listener. @default undefined */
  readonly admin?: AdminConfig | undefined;
  readonly logging: LoggingConfig;
  /**
   * Whether unknown keys of payloads and trigger configurations are refused, and not only misspelt ones.
   * @default false
   */
  readonly strictPayloads?: boolean;
  /** Whether the file refuses ports that other machines reach without a secret, rules or an auth function. */
  readonly requireAuth: boolean;
  /** Warnings for the operator at start, such as ignored entries, unknown keys and in-memory stores. */
  readonly warnings: readonly ConfigWarning[];
  /** Facts that a reader of the file may not expect, and that need no action. */
  readonly notes: readonly ConfigWarning[];
  /** The file of this configuration. `undefined` means the built-in defaults. */
  readonly file: string | undefined;
  /** Names for messages and `print-config`: `iii` if the file has only those of the original engine. @default 'rivulet' */
  readonly nameStyle?: NameStyle | undefined;
}

export interface ConfigWarning {
  readonly code: string;
  /** `file:line:column` and the key path, if known, then the problem and the remedy. */
  readonly message: string;
  /** Details for programs that read the log. */
  readonly fields?: Readonly<Record<string, string | number>>;
}
