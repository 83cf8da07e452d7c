import type { StreamStore } from '@rivulet/engine/store';
import { lmdbFactory } from '@rivulet/testkit/stores/store-factories';
import { expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/logging/logger.js';
import { createCallLedger, type OwnedLedger } from '../../src/stream/calls/ledger/open-ledger.js';
import { DONE, keyed, runOf } from '../ledger-world.js';

/** One run of an engine. `laterMs`: how far its clocks are ahead. */
async function run(store: StreamStore, laterMs = 0): Promise<OwnedLedger> {
  await store.start({ onCommit() {}, onBreak() {} });
  const clock = { now: () => Date.now() + laterMs, monotonic: () => performance.now() };
  const ledger = createCallLedger({ store, retentionMs: 600_000, isShared: false, clock, logger: silentLogger });
  await ledger.start();
  return ledger;
}

test.each(['commit', 'relaxed'] as const)(
  'the file of a store (%s) keeps the ledger across a restart of the engine',
  async (durability) => {
    const factory = lmdbFactory(durability);
    onTestFinished(() => factory.dispose());
    const before = await factory.create(Date.now);
    const first = await run(before);
    await runOf(await first.begin(keyed())).finish(DONE);
    runOf(await first.begin(keyed({ key: 'unfinished' })));
    await first.close();
    await before.close();
    const after = await factory.reopen(() => Date.now() + 300_000);
    onTestFinished(() => after.close());
    const second = await run(after, 300_000);
    expect(await second.begin(keyed({ repeatedAfterMs: 100_000 }))).toEqual({ kind: 'done', outcome: DONE });
    expect((await second.begin(keyed({ key: 'unfinished', repeatedAfterMs: 100_000 }))).kind).toBe('unknown');
    expect((await second.begin(keyed({ key: 'never arrived', repeatedAfterMs: 100_000 }))).kind).toBe('run');
    expect((await second.begin(keyed({ key: 'never arrived 2', repeatedAfterMs: 300_000 }))).kind).toBe('unknown');
    expect(await after.streams()).toEqual([]);
  },
);
