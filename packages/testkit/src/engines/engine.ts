import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AdminConfig,
  type EngineOptions,
  type HttpConfig,
  loadConfig,
  type RbacConfig,
  type RunningEngine,
  type StateConfig,
  type StreamConfig,
  startEngine,
  type WorkerManagerConfig,
} from '@rivulet/engine';
import { onTestFinished } from 'vitest';

export interface TestEngine {
  readonly engine: RunningEngine;
  /** URL of the worker listener: ws://127.0.0.1:PORT. */
  readonly workerUrl: string;
  readonly streamUrl: string;
  /** URL of the HTTP listener: http://127.0.0.1:PORT. Only valid with `http` in the options. */
  readonly httpUrl: string;
  /** URL of the admin listener: http://127.0.0.1:PORT. Only valid with `admin` in the options. */
  readonly adminUrl: string;
  /** URL of the guest listener. Empty without `guest` in the options. */
  readonly guestUrl: string;
  readonly log: LogLine[];
  readonly stop: () => Promise<void>;
}

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface TestEngineOptions {
  readonly stream?: Partial<StreamConfig>;
  readonly state?: Partial<StateConfig>;
  readonly worker?: Partial<WorkerManagerConfig>;
  /**
   * HTTP listener.
   * @default none
   */
  readonly http?: Partial<HttpConfig>;
  /**
   * Admin listener.
   * @default none
   */
  readonly admin?: Partial<AdminConfig>;
  /** A second worker listener, for guests. Fields that are left out have their defaults. */
  readonly guest?: { readonly rbac?: Partial<RbacConfig>; readonly manager?: Partial<WorkerManagerConfig> };
  /**
   * Number of further worker listeners, with default settings.
   * @default 0
   */
  readonly moreListeners?: number;
  readonly outage?: EngineOptions['outage'];
  /**
   * Clock of the engine.
   * @default the clock of the system
   */
  readonly clock?: EngineOptions['clock'];
  /**
   * Uses LMDB stores on disk.
   * @default false, which means stores in memory
   */
  readonly lmdb?: boolean;
  /** How much the engine remembers for `GET /api/why`. */
  readonly why?: EngineOptions['why'];
}

/** Starts a real engine in this process on free ports. It stops when the test ends. */
export async function startTestEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-test-'));
  const defaults = loadConfig({ cwd: directory, env: {}, lenient: false });
  const [manager] = defaults.workerManagers;
  if (manager === undefined || defaults.stream === undefined || defaults.state === undefined || defaults.http === undefined)
    throw new Error('the defaults lack something');
  const adapter = (name: string) =>
    options.lmdb
      ? ({ kind: 'lmdb', path: join(directory, name), durability: 'commit', saveIntervalMs: 5_000 } as const)
      : ({ kind: 'memory' } as const);
  const more = Array.from({ length: options.moreListeners ?? 0 }, () => ({ ...manager, port: 0 }));
  const log: LogLine[] = [];
  const record =
    (level: string) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}) =>
      void log.push({ level, event, fields });
  const engine = await startEngine(
    {
      ...defaults,
      workerManagers: [
        { ...manager, port: 0, ...options.worker },
        ...(options.guest === undefined ? [] : [guestManager(manager, options.guest)]),
        ...more,
      ],
      stream: { ...defaults.stream, port: 0, drainSpreadMs: 0, adapter: adapter('streams'), ...options.stream },
      state: { ...defaults.state, adapter: adapter('state'), ...options.state },
      admin: options.admin === undefined || defaults.admin === undefined ? undefined : { ...defaults.admin, port: 0, ...options.admin },
      http: options.http === undefined ? undefined : { ...defaults.http, port: 0, ...options.http },
    },
    {
      logger: { debug: record('debug'), info: record('info'), warn: record('warn'), error: record('error') },
      ...(options.outage === undefined ? {} : { outage: options.outage }),
      ...(options.clock === undefined ? {} : { clock: options.clock }),
      ...(options.why === undefined ? {} : { why: options.why }),
    },
  );
  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    await engine.stop();
    await rm(directory, { recursive: true, force: true });
  };
  onTestFinished(stop);
  const port = (name: string) => engine.listeners.find((listener) => listener.name === name)?.port;
  const guest = options.guest === undefined ? undefined : engine.listeners.filter(({ name }) => name === 'worker')[1];
  return {
    engine,
    guestUrl: guest === undefined ? '' : `ws://127.0.0.1:${guest.port}`,
    workerUrl: `ws://127.0.0.1:${port('worker')}`,
    streamUrl: `ws://127.0.0.1:${port('stream')}`,
    httpUrl: `http://127.0.0.1:${port('http')}`,
    adminUrl: `http://127.0.0.1:${port('admin')}`,
    log,
    stop,
  };
}

function guestManager(manager: WorkerManagerConfig, guest: NonNullable<TestEngineOptions['guest']>): WorkerManagerConfig {
  const rbac: RbacConfig = {
    authFunction: undefined,
    authTimeoutMs: 10_000,
    authErrorFrame: false,
    exposeFunctions: [],
    onFunctionRegistration: undefined,
    onTriggerRegistration: undefined,
    onTriggerTypeRegistration: undefined,
    hookTimeoutMs: 10_000,
    allowedTriggerTypes: undefined,
    ...guest.rbac,
  };
  return { ...manager, port: 0, rbac, ...guest.manager };
}
