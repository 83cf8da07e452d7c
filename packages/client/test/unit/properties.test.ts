import * as fc from 'fast-check';
import { it } from 'vitest';
import type { Answer, Write } from '../model-engine.js';
import { type Step, Trial } from '../trial.js';

const ids = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 4, arbitrary: ids.map((set) => ({ set })) },
  { weight: 2, arbitrary: ids.map((remove) => ({ remove })) },
  { weight: 2, arbitrary: fc.constantFrom('', 'a', 'b').map((say) => ({ say })) },
);
const answer = fc.constantFrom<Answer>('tail', 'changes', 'sync', 'parts');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.array(write, { minLength: 1, maxLength: 4 }).map((writes) => ({ do: 'write' as const, writes })) },
  { weight: 12, arbitrary: fc.nat(6).map((count) => ({ do: 'deliver' as const, count })) },
  { weight: 3, arbitrary: fc.constantFrom('drop' as const, 'lag' as const).map((what) => ({ do: what })) },
  { weight: 5, arbitrary: fc.constant({ do: 'accept' as const }) },
  { weight: 3, arbitrary: fc.constantFrom('unavailable' as const, 'available' as const).map((what) => ({ do: what })) },
  { weight: 1, arbitrary: fc.constant({ do: 'break' as const }) },
  { weight: 3, arbitrary: fc.nat(3).map((count) => ({ do: 'repeat' as const, count })) },
  { weight: 1, arbitrary: fc.nat(3).map((count) => ({ do: 'lose' as const, count })) },
  { weight: 3, arbitrary: fc.constantFrom(0, 20, 2_000).map((count) => ({ do: 'pass' as const, count })) },
  { weight: 3, arbitrary: answer.map((how) => ({ do: 'catchUp' as const, answer: how })) },
  { weight: 3, arbitrary: answer.map((how) => ({ do: 'answer' as const, answer: how })) },
);

it('RV-1 RV-5 RV-6 RV-7 RV-10 RV-11 RV-17 RV-33 whatever the server and the network do, a view shows a real state, and reports each change once and in order', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 80 }), (steps) => new Trial().run([{ do: 'accept' }, ...steps])),
    { numRuns: Number(process.env.RIVULET_CLIENT_RUNS ?? 1_500) },
  );
});
