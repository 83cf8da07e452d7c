import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, type RunningEngine, type StreamConfig, startEngine, type WorkerManagerConfig } from '@rivulet/engine';
import { onTestFinished } from 'vitest';

export interface TestEngine {
  readonly engine: RunningEngine;
  /** ws://127.0.0.1:PORT of the worker listener. */
  readonly workerUrl: string;
  readonly streamUrl: string;
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
  readonly worker?: Partial<WorkerManagerConfig>;
  /** Default: the in-memory store. */
  readonly lmdb?: boolean;
}

/** A real engine in this process on free ports, stopped when the test ends. */
export async function startTestEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-test-'));
  const defaults = loadConfig({ cwd: directory, env: {}, lenient: false });
  const [manager] = defaults.workerManagers;
  if (manager === undefined || defaults.stream === undefined) throw new Error('the defaults have no listeners');
  const adapter = options.lmdb
    ? ({ kind: 'lmdb', path: join(directory, 'streams'), durability: 'commit', saveIntervalMs: 5_000 } as const)
    : ({ kind: 'memory' } as const);
  const log: LogLine[] = [];
  const record =
    (level: string) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}) =>
      void log.push({ level, event, fields });
  const engine = await startEngine(
    {
      ...defaults,
      workerManagers: [{ ...manager, port: 0, ...options.worker }],
      stream: { ...defaults.stream, port: 0, drainSpreadMs: 0, adapter, ...options.stream },
    },
    { logger: { debug: record('debug'), info: record('info'), warn: record('warn'), error: record('error') } },
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
  return { engine, workerUrl: `ws://127.0.0.1:${port('worker')}`, streamUrl: `ws://127.0.0.1:${port('stream')}`, log, stop };
}
