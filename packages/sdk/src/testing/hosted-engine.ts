import type { Engine, EngineConfig, EngineLogger, EngineModule } from './engine-module.js';
import { TestEngineError } from './errors.js';
import type { Started, StartRequest, TestLogLine } from './messages.js';
import { MovedClock } from './moved-clock.js';

/** Milliseconds of real time after which `settle` gives up. */
const SETTLE_MS = 10_000;
/** Milliseconds of real time that calls have to end before a stop moves the clock past their time-outs. */
const STOP_MS = 500;
/** Milliseconds by which a stop moves the clock. No wait of a stop is longer. */
const STOP_MOVE_MS = 60_000;
/** Round trips without any work between them, after which everything has settled. */
const QUIET_ROUNDS = 2;

/** One engine with its clock, in the thread of the engines. */
export class HostedEngine {
  readonly started: Started;
  readonly #engine: Engine;
  readonly #clock: MovedClock;
  /** The move that runs. Moves run one after another. */
  #move: Promise<void> = Promise.resolve();

  private constructor(engine: Engine, clock: MovedClock) {
    this.#engine = engine;
    this.#clock = clock;
    const urlsOf = (name: string, scheme: string) =>
      engine.listeners.filter((listener) => listener.name === name).map(({ port }) => `${scheme}://127.0.0.1:${port}`);
    this.started = { workers: urlsOf('worker', 'ws'), stream: urlsOf('stream', 'ws')[0], http: urlsOf('http', 'http')[0] };
  }

  static async start(engines: EngineModule, request: StartRequest, log: (line: TestLogLine) => void): Promise<HostedEngine> {
    const { file, text, cwd, env, now, isLogged } = request;
    const config = read(() =>
      engines.loadConfig({ cwd, env, lenient: false, ...(file === undefined ? {} : { file }), ...(text === undefined ? {} : { text }) }),
    );
    const clock = new MovedClock(now);
    const logger = loggerOf(isLogged ? log : () => {});
    return new HostedEngine(await engines.startEngine(inMemory(config), { clock, logger }), clock);
  }

  /** Moves the clock, and waits until the peers have received what changed. Calls that run do not hold it up. */
  advance(milliseconds: number): Promise<void> {
    const move = this.#move.then(async () => {
      await this.#clock.advance(milliseconds, turns);
      await this.#settle(false);
    });
    this.#move = move.catch(() => {});
    return move;
  }

  async settle(): Promise<void> {
    await this.#move;
    if (await this.#settle(true)) return;
    const { callsRunning, firingsQueued } = this.#engine.figures();
    const work =
      callsRunning + firingsQueued === 0
        ? 'functions and clients keep writing; stop them, or await a state instead'
        : `${callsRunning} calls have no answer, and ${firingsQueued} trigger firings wait; if a function waits for the clock, call advance()`;
    throw new TestEngineError('NOT_SETTLED', `not settled after ${SETTLE_MS / 1_000} s: ${work}`);
  }

  async stop(): Promise<void> {
    await this.#move;
    const stopped = this.#engine.stop();
    const timer = setTimeout(() => {
      // A time-out that is over ends its call, and the stop goes on.
      this.#clock.advance(STOP_MOVE_MS, turns).catch(() => {});
    }, STOP_MS);
    try {
      await stopped;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Returns whether nothing happened between two round trips to all peers before the time was over. */
  async #settle(waitsForCalls: boolean): Promise<boolean> {
    const until = performance.now() + SETTLE_MS;
    let late: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      late = setTimeout(resolve, SETTLE_MS);
    });
    try {
      let before = this.#activity();
      for (let quiet = 0; quiet < QUIET_ROUNDS; ) {
        await turns();
        await Promise.race([this.#engine.roundTrip(), over]);
        await turns();
        if (performance.now() >= until) return false;
        const { callsRunning, firingsQueued } = this.#engine.figures();
        const after = this.#activity();
        const isQuiet = after === before && (!waitsForCalls || callsRunning + firingsQueued === 0);
        quiet = isQuiet ? quiet + 1 : 0;
        before = after;
      }
      return true;
    } finally {
      clearTimeout(late);
    }
  }

  /** Returns a text that changes with each call, join, change and delivery. */
  #activity(): string {
    const { calls, callsRunning, sessions, appended, flushes, visited, resynced, compacted } = this.#engine.figures();
    return [calls, callsRunning, sessions, appended, flushes, visited, resynced, compacted].join(' ');
  }
}

function read(load: () => EngineConfig): EngineConfig {
  try {
    return load();
  } catch (error) {
    throw new TestEngineError('CONFIG_INVALID', error instanceof Error ? error.message : String(error));
  }
}

/** Returns the configuration with all stores in memory and all ports free ones of the loopback address. */
function inMemory(config: EngineConfig): EngineConfig {
  const adapter = { kind: 'memory' };
  const local = { host: '127.0.0.1', port: 0 };
  const { workerManagers, stream, state, http } = config;
  return {
    ...config,
    workerManagers: workerManagers.map((manager) => ({ ...manager, ...local })),
    stream: stream && { ...stream, ...local, adapter, drainDelayMs: 0, drainSpreadMs: 0 },
    state: state && { ...state, adapter },
    http: http && { ...http, ...local },
    admin: undefined,
  };
}

function loggerOf(log: (line: TestLogLine) => void): EngineLogger {
  const at =
    (level: TestLogLine['level']) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}) =>
      log({ level, event, fields: plain(fields) });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** Returns fields that can be sent to another thread. */
function plain(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isPlain = (value: unknown) => value === null || ['string', 'number', 'boolean', 'undefined'].includes(typeof value);
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, isPlain(value) ? value : textOf(value)]));
}

function textOf(value: unknown): string {
  if (value instanceof Error) return value.stack ?? value.message;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/** Resolves when the work that is ready now has run. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
