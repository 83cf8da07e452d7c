/**
 * The part of `@rivulet/engine` that the test kit uses. The engine depends on this package, so its types can't be imported here. A test
 * compares these types with those of the engine.
 */

export interface EngineTimer {
  unref(): unknown;
}

export interface EngineTimers {
  once(milliseconds: number, run: () => void): EngineTimer;
  every(milliseconds: number, run: () => void): EngineTimer;
  cancel(timer: EngineTimer | undefined): void;
}

export interface EngineClock {
  now(): number;
  monotonic(): number;
  readonly timers: EngineTimers;
  readonly pace: { monotonic(): number };
}

type Log = (event: string, fields?: Readonly<Record<string, unknown>>) => void;

export interface EngineLogger {
  readonly debug: Log;
  readonly info: Log;
  readonly warn: Log;
  readonly error: Log;
}

/** A configuration. The kit replaces these parts and keeps all others. */
export interface EngineConfig {
  readonly workerManagers: readonly object[];
  readonly stream: object | undefined;
  readonly state: object | undefined;
  readonly http: object | undefined;
  readonly admin?: object | undefined;
}

export interface EngineCounts {
  readonly calls: number;
  readonly callsRunning: number;
  readonly firingsQueued: number;
  readonly sessions: number;
  readonly appended: number;
  readonly flushes: number;
  readonly visited: number;
  readonly resynced: number;
  readonly compacted: number;
}

export interface Engine {
  readonly listeners: readonly { readonly name: string; readonly host: string; readonly port: number }[];
  figures(): EngineCounts;
  roundTrip(): Promise<void>;
  stop(): Promise<void>;
}

export interface EngineModule {
  loadConfig(options: {
    readonly file?: string;
    readonly text?: string;
    readonly cwd: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly lenient: boolean;
  }): EngineConfig;
  startEngine(config: EngineConfig, options: { readonly clock: EngineClock; readonly logger: EngineLogger }): Promise<Engine>;
}
