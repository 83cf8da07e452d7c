/** The effective configuration: what the engine is built from. Every default is filled in; nothing here is optional for the reader's sake. */
export interface Config {
  /** At least one; the first is the main worker port. */
  readonly workerManagers: readonly WorkerManagerConfig[];
  /** `undefined`: no stream listener and no stream::* functions. */
  readonly stream: StreamConfig | undefined;
  /** `undefined`: no state::* functions, and `state` triggers stay parked. */
  readonly state: StateConfig | undefined;
  /** Whether `publish` and `subscribe` triggers are there. */
  readonly pubsub: boolean;
  /** `undefined`: no HTTP listener; `http` triggers wait for a provider. */
  readonly http: HttpConfig | undefined;
  readonly logging: LoggingConfig;
  /** Unknown keys of payloads and trigger configs are refused, not only near misses. Default false. */
  readonly strictPayloads?: boolean;
  /** The file refuses ports that other machines reach without a secret, rules or an auth function. */
  readonly requireAuth: boolean;
  /** Things to tell the operator at start: ignored entries, unknown keys, in-memory stores. */
  readonly warnings: readonly ConfigWarning[];
  /** Facts that a reader of the file may not expect, and that need no action. */
  readonly notes: readonly ConfigWarning[];
  /** File that it came from; `undefined`: built-in defaults. */
  readonly file: string | undefined;
}

export interface ConfigWarning {
  readonly code: string;
  /** `file:line:column` and the key path where known, then the matter and the remedy. */
  readonly message: string;
  /** Parts of it for programs that read the log. */
  readonly fields?: Readonly<Record<string, string | number>>;
}

export interface WorkerManagerConfig {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly handshakeTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly maxInFlightCalls: number;
  /** In a second, of one connection; 0: no bound; `undefined`: the default of listeners with rules, and no bound on others. */
  readonly maxFramesPerSecond?: number | undefined;
  readonly maxCallsPerSecond?: number | undefined;
  readonly maxBytesPerSecond?: number | undefined;
  readonly allowedOrigins: readonly string[];
  /** CIDR ranges of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count. */
  readonly trustedProxies: readonly string[];
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  /** Names that `Host` may have beside those of this machine. */
  readonly allowedHosts: readonly string[];
  /** Secret of the workers of a listener without rules; `undefined`: none is asked for. */
  readonly authToken: string | undefined;
  /** The operator says that a listener off loopback may be open. */
  readonly allowAnonymous: boolean;
  /** Gets every call of its sessions in place of the target, the engine's own functions excepted. */
  readonly middlewareFunction: string | undefined;
  /** Guests get errors of functions as they were thrown. Default false: they get a fixed message and an `error_id`. */
  readonly exposeErrorMessages?: boolean;
  /** `undefined`: whoever connects is trusted. */
  readonly rbac: RbacConfig | undefined;
}

/** Who may connect to a listener, and what its sessions may call and register. */
export interface RbacConfig {
  /** `undefined`: everyone may connect and register; `exposeFunctions` alone says what they may call. */
  readonly authFunction: string | undefined;
  readonly authTimeoutMs: number;
  /** A refused upgrade completes, carries an `error` frame and closes, as upstream does it; otherwise it is answered with a status. */
  readonly authErrorFrame: boolean;
  /** A function that one of them fits may be called. */
  readonly exposeFunctions: readonly ExposeRule[];
  readonly onFunctionRegistration: string | undefined;
  readonly onTriggerRegistration: string | undefined;
  readonly onTriggerTypeRegistration: string | undefined;
  readonly hookTimeoutMs: number;
  /** Trigger types that sessions may register, whatever the auth function answers; `undefined`: the auth function alone decides. */
  readonly allowedTriggerTypes?: readonly string[] | undefined;
}

export type ExposeRule =
  /** `namespace`: where the function must be; absent for `default`. */
  | { readonly kind: 'match'; readonly pattern: string; readonly namespace?: string }
  /** All of them must hold for the metadata with which the function is registered. */
  | { readonly kind: 'metadata'; readonly conditions: readonly MetadataCondition[] };

export type MetadataCondition =
  | { readonly key: string; readonly equals: unknown; readonly pattern?: undefined }
  | { readonly key: string; readonly pattern: string };

export interface StreamConfig {
  readonly host: string;
  readonly port: number;
  /** Begins the paths behind a proxy that does not strip it; `undefined`: none. */
  readonly pathPrefix: string | undefined;
  readonly authFunction: string | undefined;
  readonly authFailOpen: boolean;
  readonly authRejectMode: 'close' | 'http';
  readonly authTimeoutMs: number;
  readonly joinFailClosed: boolean;
  readonly joinTimeoutMs: number;
  readonly maxSubscriptionsPerConnection: number;
  /** In a second, of one connection; 0 or absent: no bound. */
  readonly maxFramesPerSecond?: number;
  readonly maxJoinsPerSecond?: number;
  readonly maxBytesPerSecond?: number;
  /** Watermark in bytes beyond which a reader lags. */
  readonly maxBufferedBytes: number;
  readonly maxMessageBytes: number;
  readonly allowedOrigins: readonly string[];
  /** CIDR ranges of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count. */
  readonly trustedProxies: readonly string[];
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  /** As in `WorkerManagerConfig`. */
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
  /** False: changes fire no triggers; bindings are kept. */
  readonly triggersEnabled: boolean;
  /** Largest value in bytes of JSON, below the bound of every item; `undefined`: that bound alone. */
  readonly maxValueBytes: number | undefined;
  readonly adapter: StoreConfig;
}

export interface HttpConfig {
  readonly host: string;
  readonly port: number;
  /** Milliseconds until a response must begin. */
  readonly defaultTimeoutMs: number;
  /** Requests whose response has not begun that are worked on at the same time; at least 1. */
  readonly concurrentRequests: number;
  /** `undefined`: any page may call anything. */
  readonly cors: CorsConfig | undefined;
  /** Stands before every path, such as `/rt`; `undefined`: nothing does. */
  readonly pathPrefix?: string | undefined;
  /** Clients get what a function threw, in place of a fixed message. Default: false. */
  readonly exposeErrorMessages?: boolean;
  /** CIDR ranges of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count. */
  readonly trustedProxies: readonly string[];
  /** As in `WorkerManagerConfig`. */
  readonly allowedHosts: readonly string[];
  /** Function ids in the order in which they are asked. */
  readonly middleware: readonly MiddlewareConfig[];
}

export interface CorsConfig {
  readonly allowedOrigins: readonly string[] | 'any';
  readonly allowedMethods: readonly string[] | 'any';
  /** Pages of allowed origins may send cookies and other credentials. Default: false. */
  readonly credentials?: boolean;
  /** Seconds for which a browser may keep the answer to a preflight. Default: 600. */
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
      /** Absent: the defaults of the store, which are those of the file too. */
      readonly space?: StoreSpace;
    }
  /** Shared by all engines that name the same server and prefix. */
  | {
      readonly kind: 'redis';
      /** With `servers` it says everything but host and port. */
      readonly url: string;
      /** Addresses as `host:port`: of sentinels, with the name by which they know the primary, or of some nodes of a Redis Cluster. */
      readonly servers?:
        | { readonly kind: 'sentinels'; readonly nodes: readonly string[]; readonly name: string }
        | { readonly kind: 'cluster'; readonly nodes: readonly string[] };
      readonly keyPrefix: string;
      readonly commandTimeoutMs: number;
      readonly connectTimeoutMs: number;
    }
  /** A store that the code in this file makes. `path` is absolute; `config` is for that code alone. */
  | { readonly kind: 'module'; readonly path: string; readonly config: Readonly<Record<string, unknown>> };

/** When a store on a disk that fills up refuses writes: with less free than the larger of the two. */
export interface StoreSpace {
  readonly minFreeBytes: number;
  readonly minFreePercent: number;
  /** Room that is kept for deletes on a full disk; 0: none. */
  readonly ballastBytes: number;
}

export interface LoggingConfig {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'default' | 'json';
}
