import * as fc from 'fast-check';
import { it } from 'vitest';
import { ITEM, OverlayTrial, type Step, type Write } from '../overlay-model.js';

const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(ITEM, 'b').map((id) => ({ do: 'append' as const, group: 'g', id })) },
  { weight: 2, arbitrary: fc.constantFrom('x', 'y').map((id) => ({ do: 'create' as const, group: 'g', id })) },
);
const ownWrite: fc.Arbitrary<Write> = fc.oneof(
  { weight: 6, arbitrary: write },
  { weight: 1, arbitrary: fc.constant({ do: 'remove' as const, group: 'g', id: 'r' }) },
  { weight: 2, arbitrary: fc.constant({ do: 'move' as const, id: 'm' }) },
);
const fate = fc.oneof(
  { weight: 6, arbitrary: fc.constant('does' as const) },
  { weight: 4, arbitrary: fc.constantFrom('fails' as const, 'refused' as const, 'more' as const) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('call' as const),
      write: ownWrite,
      fate,
    }),
  },
  { weight: 6, arbitrary: fc.array(write, { minLength: 1, maxLength: 3 }).map((writes) => ({ do: 'foreign' as const, writes })) },
  { weight: 10, arbitrary: fc.nat(4).map((count) => ({ do: 'deliver' as const, count })) },
  { weight: 10, arbitrary: fc.nat(3).map((count) => ({ do: 'run' as const, count })) },
  { weight: 10, arbitrary: fc.nat(3).map((count) => ({ do: 'answer' as const, count })) },
  { weight: 2, arbitrary: fc.constantFrom('lose' as const, 'lose' as const, 'break' as const).map((what) => ({ do: what })) },
  {
    weight: 5,
    arbitrary: fc.constantFrom('tail' as const, 'changes' as const, 'sync' as const).map((how) => ({ do: 'connect' as const, how })),
  },
  { weight: 1, arbitrary: fc.constantFrom('sync' as const, 'restored' as const).map((how) => ({ do: 'reopen' as const, how })) },
);
const NUM_RUNS = Number(process.env.RIVULET_CLIENT_RUNS ?? 1_500);

it('whatever the order of changes, answers, states and losses, no view goes back to the old value, and all end with the true state', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 3, maxLength: 60 }), fc.boolean(), (steps, reads) => new OverlayTrial(reads).run(steps)),
    { numRuns: NUM_RUNS },
  );
});
