import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';
import { KeptPositions } from '../harness/kept-positions.js';
import { type Found, KillLedger } from '../harness/kill-ledger.js';
import { type Target, watchUntilKilled, writeUntilKilled } from '../harness/kill-writer.js';
import { readCopy } from '../harness/store-copy.js';

/** For more cycles: `RIVULET_KILL_CYCLES=1000 npx vitest run packages/conformance/test/system/kill-nine.test.ts`. */
const CYCLES = Number(process.env.RIVULET_KILL_CYCLES ?? 60);
/** The mean number of acknowledgements before a kill. The largest is twice this number. */
const LEAST_ACKS = CYCLES < 1_000 ? 400 : 1_400;
/** Number of engines that are killed at the same time. */
const LANES = 3;
const GROUPS = ['g0', 'g1', 'g2', 'g3'];
const WRITERS: readonly Target[] = [
  { kind: 'stream', groups: GROUPS },
  { kind: 'stream', groups: GROUPS },
  { kind: 'stream', groups: ['g0'] },
  { kind: 'stream', groups: ['g1', 'g2'] },
  { kind: 'state', groups: ['s0', 's1'] },
];

/** Returns everything that the engine has, by `stream/GROUP/ITEM` and `state/SCOPE/KEY`. */
async function stored(engine: EngineProcess): Promise<Map<string, Found>> {
  const worker = await RawWorker.connect(engine.workerUrl);
  const ofStreams = GROUPS.map((group_id) => worker.result('stream::list', { stream_name: 'kill', group_id }));
  const ofState = ['s0', 's1'].map((scope) => worker.result('state::list', { scope }));
  const lists = (await Promise.all([...ofStreams, ...ofState])) as (Found & { readonly item: string })[][];
  await worker.close();
  return new Map(lists.flat().map((value) => [value.item, value]));
}

interface Lane {
  readonly ledger: KillLedger;
  readonly problems: readonly string[];
}

/** Kills one engine again and again. Returns the number of its writes, and the errors after a crash. */
async function killAgainAndAgain(cycles: number, lane: number): Promise<Lane> {
  const engine = await EngineProcess.start({ state: [] });
  const ledger = new KillLedger();
  const positions = new KeptPositions();
  const refs = GROUPS.map((group) => ({ stream: 'kill', group }));
  const problems: string[] = [];
  for (let cycle = 0; cycle < cycles && problems.length === 0; cycle++) {
    const clients = [
      ...WRITERS.map((target, writer) => writeUntilKilled(engine.workerUrl, writer, target, ledger)),
      ...GROUPS.map((group) => watchUntilKilled(`${engine.streamUrl}/stream/kill/${group}`, ledger)),
    ];
    await ledger.acknowledgedMore(LEAST_ACKS + ((cycle * 37 + lane * 61) % LEAST_ACKS));
    // The kill also happens between two commits, not only at an acknowledgement.
    await setTimeout(cycle % 8);
    await engine.kill();
    await Promise.all(clients);
    const copies = await readCopy(join(engine.directory, 'data'), refs);
    for (const [index, copy] of copies.entries()) problems.push(...positions.check(GROUPS[index] as string, copy));
    await engine.start();
    problems.push(...ledger.check(await stored(engine)));
  }
  return { ledger, problems };
}

test(
  `ST-24 F1 RG-1 no acknowledged write, and nothing that was shown, is lost by kill -9 (${CYCLES} cycles)`,
  async () => {
    const shares = Array.from({ length: LANES }, (_, lane) => Math.floor((CYCLES + lane) / LANES));
    const lanes = await Promise.all(shares.map((cycles, lane) => killAgainAndAgain(cycles, lane)));
    expect(lanes.flatMap(({ problems }) => problems)).toEqual([]);
    const acks = lanes.reduce((sum, { ledger }) => sum + ledger.acks, 0);
    const shown = lanes.reduce((sum, { ledger }) => sum + ledger.shown, 0);
    expect(acks).toBeGreaterThanOrEqual(CYCLES * LEAST_ACKS);
    expect(shown).toBeGreaterThan(CYCLES * 100);
    process.stdout.write(`kill -9: ${CYCLES} cycles, ${acks} acknowledged writes and ${shown} shown values, 0 lost\n`);
  },
  600_000 + CYCLES * 5_000,
);

test('ST-24 a graceful stop loses nothing, exits with 0 and closes workers with 1012', async () => {
  const engine = await EngineProcess.start();
  const worker = await RawWorker.connect(engine.workerUrl);
  for (let n = 0; n < 100; n++)
    await worker.result('stream::set', {
      stream_name: 'kill',
      group_id: 'g0',
      item_id: `i${n}`,
      data: { id: `i${n}`, n, pad: 'x'.repeat(100) },
    });
  const late = worker.call('stream::set', {
    stream_name: 'kill',
    group_id: 'g0',
    item_id: 'late',
    data: { id: 'late', n: 100, pad: 'x'.repeat(100) },
  });
  const [code, answer] = await Promise.all([engine.stop(), late.catch(() => undefined)]);
  expect(code).toBe(0);
  expect((await worker.closed).code).toBe(1012);
  await engine.start();
  const reader = await RawWorker.connect(engine.workerUrl);
  const values = (await reader.result('stream::list', { stream_name: 'kill', group_id: 'g0', with_ids: true })) as { id: string }[];
  const ids = new Set(values.map(({ id }) => id));
  for (let n = 0; n < 100; n++) expect(ids).toContain(`i${n}`);
  const acknowledged = answer?.result !== undefined;
  expect({ lost: acknowledged && !ids.has('late') }).toEqual({ lost: false });
});
