import { describe, expect, it } from 'vitest';
import { CALL_BUGS, checkCalls } from '../../src/calls/call-bugs.js';
import { describeViolation } from '../../src/invariants/invariant.js';

const SEEDS = Array.from({ length: 40 }, (_, n) => n + 1);

describe('calls with a key', () => {
  it('run at most once, whatever dies and fails', async () => {
    for (const seed of SEEDS) expect((await checkCalls(seed)).map(describeViolation), `seed ${seed}`).toEqual([]);
  });

  it.each(CALL_BUGS.map((bug) => [bug.id, bug] as const))('the deliberate bug %s is caught', async (_id, bug) => {
    for (const seed of SEEDS) if ((await checkCalls(seed, bug.make())).length > 0) return;
    expect.fail(`${bug.says}: not caught in ${SEEDS.length} seeds`);
  });
});
