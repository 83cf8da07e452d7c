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
}

export interface ConfigWarning {
  readonly code: string;
  /** `file:line:column` and the key path, if known, then the problem and the remedy. */
  readonly message: string;
  /** Details for programs that read the log. */
  readonly fields?: Readonly<Record<string, string | number>>;
}

export interface WorkerManagerConfig {
  readonly host: string;
  /** Port to bind. 0 means any free port. */
  readonly port: number;
  readonly handshakeTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly maxInFlightCalls: number;
  /**
   * Bounds of one connection in a second. 0 means no bound. `undefined` means the default of listeners with rules, and no bound on others.
   */
  readonly maxFramesPerSecond?: number | undefined;
  readonly maxCallsPerSecond?: number | undefined;
  readonly maxBytesPerSecond?: number | undefined;
  readonly allowedOrigins: readonly string[];
  /** CIDR ranges of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` the listener believes. */
  readonly trustedProxies: readonly string[];
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  /** Names that `Host` may have in addition to those of this machine. */
  readonly allowedHosts: readonly string[];
  /** The secret of the workers of a listener without rules. `undefined` means that the listener requires none. */
  readonly authToken: string | undefined;
  /** Whether the operator accepts that a listener off loopback is open. */
  readonly allowAnonymous: boolean;
  /** Function that receives every call of the listener's sessions in place of the target. Calls of engine functions are exempt. */
  readonly middlewareFunction: string | undefined;
  /**
   * Whether guests get errors of functions as they were thrown. Otherwise they get a fixed message and an `error_id`.
   * @default false
   */
  readonly exposeErrorMessages?: boolean;
  /** `undefined` means that the listener trusts every peer. */
  readonly rbac: RbacConfig | undefined;
}

/** The rules of a listener: who may connect, and what its sessions may call and register. */
export interface RbacConfig {
  /** `undefined` means that everyone may connect and register. `exposeFunctions` alone then decides about calls. */
  readonly authFunction: string | undefined;
  readonly authTimeoutMs: number;
  /**
   * Whether a refused upgrade completes, carries an `error` frame and closes, as other engines do it. Otherwise the listener answers with a
   * status.
   */
  readonly authErrorFrame: boolean;
  /** A session may call a function that matches one of these rules. */
  readonly exposeFunctions: readonly ExposeRule[];
  readonly onFunctionRegistration: string | undefined;
  readonly onTriggerRegistration: string | undefined;
  readonly onTriggerTypeRegistration: string | undefined;
  readonly hookTimeoutMs: number;
  /** Trigger types that sessions may register, whatever the auth function answers. `undefined` leaves the decision to the auth function. */
  readonly allowedTriggerTypes?: readonly string[] | undefined;
}

export type ExposeRule =
  /** `namespace` is the namespace of the function. Absent means `default`. */
  | { readonly kind: 'match'; readonly pattern: string; readonly namespace?: string }
  /** The metadata of a function must meet all conditions. */
  | { readonly kind: 'metadata'; readonly conditions: readonly MetadataCondition[] };

export type MetadataCondition =
  | { readonly key: string; readonly equals: unknown; readonly pattern?: undefined }
  | { readonly key: string; readonly pattern: string };

export interface StreamConfig {
  readonly host: string;
  readonly port: number;
  /** Path prefix of a proxy that does not remove it. `undefined` means none. */
  readonly pathPrefix: string | undefined;
  readonly authFunction: string | undefined;
  readonly authFailOpen: boolean;
  readonly authRejectMode: 'close' | 'http';
  readonly authTimeoutMs: number;
  readonly joinFailClosed: boolean;
  readonly joinTimeoutMs: number;
  readonly maxSubscriptionsPerConnection: number;
  /** Bounds of one connection in a second. 0 or absent means no bound. */
  readonly maxFramesPerSecond?: number;
  readonly maxJoinsPerSecond?: number;
  readonly maxBytesPerSecond?: number;
  /** Unsent bytes above which a reader counts as lagging. */
  readonly maxBufferedBytes: number;
  readonly maxMessageBytes: number;
  readonly allowedOrigins: readonly string[];
  /** See `WorkerManagerConfig`. */
  readonly trustedProxies: readonly string[];
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  /** See `WorkerManagerConfig`. */
  readonly allowedHosts: readonly string[];
  readonly allowAnonymous: boolean;
  readonly injectId: boolean;
  readonly backendTimeoutMs: number;
  readonly backendGraceMs: number;
  readonly backendFallback: boolean;
  readonly logMaxChanges: number;
  readonly logMaxAgeMs: number;
  readonly logMaxBytes: number;
  readonly tombstoneRetentionMs: number;
  readonly idempotencyRetentionMs: number;
  readonly drainDelayMs: number;
  readonly drainSpreadMs: number;
  readonly adapter: StoreConfig;
}

export interface StateConfig {
  /** Whether changes fire triggers. Bindings stay in either case. */
  readonly triggersEnabled: boolean;
  /** Largest value in bytes of JSON, below the bound of every item. `undefined` means that bound alone. */
  readonly maxValueBytes: number | undefined;
  readonly adapter: StoreConfig;
}

export interface HttpConfig {
  readonly host: string;
  readonly port: number;
  /** Milliseconds until a response must begin. */
  readonly defaultTimeoutMs: number;
  /** Requests that are served at the same time until their responses begin, at least 1. */
  readonly concurrentRequests: number;
  /** `undefined` means that any page may call any route. */
  readonly cors: CorsConfig | undefined;
  /** Prefix of every path, such as `/rt`. `undefined` means none. */
  readonly pathPrefix?: string | undefined;
  /**
   * Whether clients get errors of functions as they were thrown, in place of a fixed message.
   * @default false
   */
  readonly exposeErrorMessages?: boolean;
  /** See `WorkerManagerConfig`. */
  readonly trustedProxies: readonly string[];
  /** See `WorkerManagerConfig`. */
  readonly allowedHosts: readonly string[];
  /** Middleware functions, in the order of their calls. */
  readonly middleware: readonly MiddlewareConfig[];
}

export interface CorsConfig {
  readonly allowedOrigins: readonly string[] | 'any';
  readonly allowedMethods: readonly string[] | 'any';
  /**
   * Whether pages of allowed origins may send cookies and other credentials.
   * @default false
   */
  readonly credentials?: boolean;
  /**
   * Seconds for which a browser may keep the answer to a preflight.
   * @default 600
   */
  readonly maxAgeS?: number;
}

export interface MiddlewareConfig {
  readonly functionId: string;
  readonly priority: number;
}

export type StoreConfig =
  | { readonly kind: 'memory' }
  | {
      readonly kind: 'lmdb';
      readonly path: string;
      readonly durability: 'commit' | 'relaxed';
      readonly saveIntervalMs: number;
      /** Absent means the defaults of the store, which are those of the file. */
      readonly space?: StoreSpace;
    }
  /** All engines that name the same server and prefix share this store. */
  | {
      readonly kind: 'redis';
      /** Address of the server. With `servers`, it gives everything but host and port. */
      readonly url: string;
      /** Addresses as `host:port`: of sentinels, with the name by which they know the primary, or of some nodes of a Redis Cluster. */
      readonly servers?:
        | { readonly kind: 'sentinels'; readonly nodes: readonly string[]; readonly name: string }
        | { readonly kind: 'cluster'; readonly nodes: readonly string[] };
      readonly keyPrefix: string;
      readonly commandTimeoutMs: number;
      readonly connectTimeoutMs: number;
    }
  /** A store that the code in this file creates. `path` is absolute. `config` is for that code alone. */
  | { readonly kind: 'module'; readonly path: string; readonly config: Readonly<Record<string, unknown>> };

/** Bounds of free disk space. The store refuses writes when less is free than the larger of the two. */
export interface StoreSpace {
  readonly minFreeBytes: number;
  readonly minFreePercent: number;
  /** Bytes of disk space that are kept for deletes on a full disk. 0 means none. */
  readonly ballastBytes: number;
}

export interface LoggingConfig {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'default' | 'json';
}
