import { describe, expect, test } from 'vitest';
import { RUNTIMES, runtimeProgram, TESTED } from '../../runtimes/install.mjs';
import { type Outcome, unexplained } from '../../runtimes/matrix.mjs';
import { smoke } from '../../runtimes/measure.mjs';
import { startRedis } from '../../runtimes/redis.mjs';

const tested = RUNTIMES.filter(({ id }) => TESTED.includes(id)).map((runtime) => {
  const found = runtimeProgram(runtime);
  const program = 'program' in found ? found.program : '';
  return { runtime, program, why: 'missing' in found ? ` (skipped: NO_RUNTIME: ${found.missing})` : '' };
});

// They wait most of the time, so they run at the same time. The set-up of `npm test` installs the runtimes. In CI a skipped test is a
// failure.
for (const { runtime, program, why } of tested) {
  describe.concurrent(`${runtime.name} ${runtime.version}${why}`, () => {
    const failuresOf = (outcomes: { readonly [side in 'engine' | 'peers']?: Readonly<Record<string, Outcome>> }) =>
      unexplained([{ ...runtime, conformance: { hold: 0, failing: [] }, engine: {}, peers: {}, ...outcomes }]);

    test.skipIf(program === '').concurrent('runs the engine', async ({ onTestFinished }) => {
      const redis = await startRedis();
      onTestFinished(() => redis?.stop());
      const engine = await smoke({ peers: process.execPath, engine: program, side: 'engine', redisUrl: redis?.url });
      expect(failuresOf({ engine })).toEqual([]);
      expect(Object.keys(engine).at(-1)).toBe('stop');
    });

    test.skipIf(program === '').concurrent('runs SDK and client', async () => {
      const peers = await smoke({ peers: program, engine: process.execPath, side: 'peers' });
      expect(failuresOf({ peers })).toEqual([]);
      expect(Object.keys(peers).at(-1)).toBe('test kit');
    });
  });
}
