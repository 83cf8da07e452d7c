import type { TestEngineErrorCode } from './errors.js';

/**
 * The messages between the process of a test and the thread that runs its engines. The test sends a request, and the thread answers each
 * with `done` or `failed`. Log lines come at any time. `idle` says that no engine has run for a while.
 */

/** One line of the log of an engine. */
export interface TestLogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** Name of the event, as in docs/log-events.md. */
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Keys of one entry of the configuration file, such as `{ auth_function: 'app::auth' }`. */
export type ConfigKeys = Readonly<Record<string, unknown>>;

export interface StartRequest {
  /** Path of the configuration file; `undefined`: the sections below. */
  readonly file: string | undefined;
  /** Content of the configuration when there is no file. */
  readonly text: string | undefined;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Unix milliseconds at which the clock stands. */
  readonly now: number;
  readonly isLogged: boolean;
}

export interface Started {
  /** URLs of the worker listeners, in the order of the configuration. */
  readonly workers: readonly string[];
  readonly stream: string | undefined;
  readonly http: string | undefined;
}

export type EngineRequest =
  | { readonly kind: 'start'; readonly options: StartRequest }
  | { readonly kind: 'advance'; readonly milliseconds: number }
  | { readonly kind: 'settle' }
  | { readonly kind: 'stop' };

export type ToThread = EngineRequest & { readonly id: number; readonly engine: number };

export type FromThread =
  | { readonly kind: 'done'; readonly id: number; readonly value: Started | undefined }
  | { readonly kind: 'failed'; readonly id: number; readonly code: TestEngineErrorCode; readonly message: string }
  | { readonly kind: 'log'; readonly engine: number; readonly line: TestLogLine }
  | { readonly kind: 'idle' };
