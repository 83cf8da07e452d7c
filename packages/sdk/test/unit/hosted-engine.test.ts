import type * as engine from '@rivulet/engine';
import { expect, test, vi } from 'vitest';
import type { Engine, EngineConfig, EngineCounts, EngineModule } from '../../src/testing/engine-module.js';
import { HostedEngine } from '../../src/testing/hosted-engine.js';

const COUNTS: EngineCounts = {
  calls: 0,
  callsRunning: 0,
  firingsQueued: 0,
  sessions: 0,
  appended: 0,
  flushes: 0,
  visited: 0,
  resynced: 0,
  compacted: 0,
};

/** Starts an engine whose counts the test writes. */
function host(next: () => Partial<EngineCounts>) {
  let rounds = 0;
  const running: Engine = {
    listeners: [],
    figures: () => ({ ...COUNTS, ...next() }),
    roundTrip: () => {
      rounds++;
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
  };
  const config: EngineConfig = { workerManagers: [], stream: undefined, state: undefined, http: undefined, admin: undefined };
  const engines: EngineModule = { loadConfig: () => config, startEngine: () => Promise.resolve(running) };
  const request = { file: undefined, text: '{}', cwd: '/', env: {}, now: 0, isLogged: false };
  return { hosted: HostedEngine.start(engines, request, () => {}), rounds: () => rounds };
}

test('the types of the kit fit those of the engine', () => {
  type Given = Required<Pick<engine.EngineOptions, 'clock' | 'logger'>>;
  const given = (options: Parameters<EngineModule['startEngine']>[1]): Given => options;
  const loads = (loadConfig: typeof engine.loadConfig): EngineModule['loadConfig'] => loadConfig;
  const runs = (running: engine.RunningEngine): Engine => running;
  expect([given, loads, runs]).toHaveLength(3);
});

test('settling waits for calls that run, and for two round trips in which nothing happens', async () => {
  const states: Partial<EngineCounts>[] = [{ calls: 1, callsRunning: 1 }, { calls: 1 }, { calls: 1 }];
  let reads = 0;
  // Each round reads the counts twice.
  const { hosted, rounds } = host(() => states[Math.min(states.length - 1, Math.floor(reads++ / 2))] ?? {});
  await (await hosted).settle();
  expect(rounds()).toBeGreaterThanOrEqual(3);
});

test('settling names the calls that run when it gives up, and a move of the clock does not wait for them', async () => {
  const { hosted } = host(() => ({ callsRunning: 2, firingsQueued: 1 }));
  const started = await hosted;
  await started.advance(5);
  const now = vi.spyOn(performance, 'now');
  let time = 0;
  // Each look at the clock finds a second more.
  now.mockImplementation(() => (time += 1_000));
  try {
    await expect(started.settle()).rejects.toMatchObject({
      code: 'NOT_SETTLED',
      message:
        'not settled after 10 s: 2 calls have no answer, and 1 trigger firings wait; if a function waits for the clock, call advance()',
    });
  } finally {
    now.mockRestore();
  }
});
