/** The effective configuration: what the engine is built from. Every default is filled in; nothing here is optional for the reader's sake. */
export interface Config {
  /** At least one; the first is the main worker port. */
  readonly workerManagers: readonly WorkerManagerConfig[];
  /** `undefined`: no stream listener and no stream::* functions. */
  readonly stream: StreamConfig | undefined;
  readonly logging: LoggingConfig;
  /** Things to tell the operator at start: ignored entries, unknown keys, in-memory stores. */
  readonly warnings: readonly ConfigWarning[];
  /** File that it came from; `undefined`: built-in defaults. */
  readonly file: string | undefined;
}

export interface ConfigWarning {
  readonly code: string;
  /** `file:line:column` and the key path where known, then the matter and the remedy. */
  readonly message: string;
}

export interface WorkerManagerConfig {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly handshakeTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly maxInFlightCalls: number;
  readonly allowedOrigins: readonly string[];
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  /** True when the entry has `rbac` or middleware: until those are built, every upgrade is answered 503. */
  readonly gated: boolean;
}

export interface StreamConfig {
  readonly host: string;
  readonly port: number;
  readonly authFunction: string | undefined;
  readonly authFailOpen: boolean;
  readonly authRejectMode: 'close' | 'http';
  readonly authTimeoutMs: number;
  readonly joinFailClosed: boolean;
  readonly joinTimeoutMs: number;
  readonly maxSubscriptionsPerConnection: number;
  /** Watermark in bytes beyond which a reader lags. */
  readonly maxBufferedBytes: number;
  readonly maxMessageBytes: number;
  readonly allowedOrigins: readonly string[];
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  readonly injectId: boolean;
  readonly backendTimeoutMs: number;
  readonly backendGraceMs: number;
  readonly backendFallback: boolean;
  readonly logMaxChanges: number;
  readonly logMaxAgeMs: number;
  readonly logMaxBytes: number;
  readonly tombstoneRetentionMs: number;
  readonly drainDelayMs: number;
  readonly drainSpreadMs: number;
  readonly adapter: StoreConfig;
}

export type StoreConfig =
  | { readonly kind: 'memory' }
  | { readonly kind: 'lmdb'; readonly path: string; readonly durability: 'commit' | 'relaxed'; readonly saveIntervalMs: number };

export interface LoggingConfig {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'default' | 'json';
}
