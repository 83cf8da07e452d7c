import { setTimeout as passes } from 'node:timers/promises';
import { connect, type StreamClient, StreamError } from '@rivulet/client';
import { registerWorker } from '@rivulet/sdk';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { Random } from '@rivulet/testkit/random';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { CallNotes } from '../harness/call-notes.js';

/** For more cycles: `RIVULET_KILL_CALL_CYCLES=200 npx vitest run packages/conformance/test/system/kill-nine-calls.test.ts`. */
const CYCLES = Number(process.env.RIVULET_KILL_CALL_CYCLES ?? 5);
const CLIENTS = 3;
/** Calls that each client makes without waiting for answers. The first client makes one call after another. */
const IN_FLIGHT = [1, 8, 24];
/** The mean number of answers before a kill. The largest is twice this number. */
const LEAST_ANSWERS = 60;
/** Codes with which a call may end when its engine is killed. */
const CODES = new Set(['OUTCOME_UNKNOWN', 'function_not_found', 'invocation_stopped', 'invocation_failed']);

interface Run {
  readonly key: string;
  readonly group: string;
  /** Milliseconds that the function takes before it writes. */
  readonly ms: number;
}

/** Starts the worker. Each run writes an item, and returns the number of the run. */
function startWorker(url: string, notes: CallNotes): void {
  const worker = registerWorker(url, {
    onWarning: () => {},
    reconnectionConfig: { initialDelayMs: 5, maxDelayMs: 20 },
  });
  onTestFinished(() => worker.shutdown());
  worker.registerFunction('app::run', async ({ key, group, ms }: Run, _metadata, { caller }) => {
    const n = notes.ran(key);
    const ownKey = caller?.kind === 'page' ? caller.idempotency_key : undefined;
    await passes(ms);
    await worker.trigger({
      function_id: 'stream::set',
      payload: { stream_name: 'runs', group_id: group, item_id: key, data: { n }, idempotency_key: ownKey },
    });
    return n;
  });
}

/** Makes calls until `isOver`. Resolves when each has ended. */
async function callUntil(isOver: () => boolean, client: StreamClient, inFlight: number, cycle: number, notes: CallNotes, random: Random) {
  const open = new Set<Promise<void>>();
  while (!isOver()) {
    const key = notes.made(cycle);
    const run: Run = { key, group: `c${cycle}`, ms: random.pick([0, 0, 0, 1, 5]) };
    const call: Promise<void> = client
      .call('app::run', run, { idempotencyKey: key })
      .then(
        (n) => notes.answered(key, n as number, cycle),
        (error: unknown) => notes.failed(key, error instanceof StreamError ? error.code : String(error)),
      )
      .then(() => void open.delete(call));
    open.add(call);
    while (open.size >= inFlight && !isOver()) await Promise.race(open);
  }
  await Promise.all(open);
}

/** Sends a call again, as a client that has no answer does. Returns its result, or the code. */
async function repeat(url: string, key: string): Promise<unknown> {
  const response = await fetch(`${url}/call/app::run?repeatedAfterMs=1`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ key, group: 'again', ms: 0 } satisfies Run),
  });
  const body = (await response.json()) as { readonly result?: unknown; readonly error?: { readonly code: string } };
  return body.error?.code ?? body.result;
}

/** Reads the runs whose write the store has: keys and numbers. */
async function runsIn(url: string, cycle: number): Promise<readonly (readonly [string, number])[]> {
  const response = await fetch(`${url}/stream/runs/c${cycle}`);
  const { items } = (await response.json()) as {
    readonly items: readonly { readonly id: string; readonly data: { readonly n: number } }[];
  };
  return items.map(({ id, data }) => [id, data.n]);
}

test(
  `RV-63 kill -9: no call with a key runs twice, and answers stay (${CYCLES} cycles)`,
  async () => {
    const engine = await EngineProcess.start({ stream: ['max_calls_per_second: 0', 'expose_functions:', '  - match("app::*")'] });
    const notes = new CallNotes();
    startWorker(engine.workerUrl, notes);
    const clients = Array.from({ length: CLIENTS }, () => connect(engine.streamUrl, { WebSocket, runtime: { random: () => 0.001 } }));
    onTestFinished(async () => {
      await Promise.all(clients.map((client) => client.close()));
    });
    const random = new Random(63);
    const url = engine.streamUrl.replace('ws:', 'http:');
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      let isOver = false;
      const calling = clients.map((client, index) => callUntil(() => isOver, client, IN_FLIGHT[index] ?? 1, cycle, notes, random));
      await notes.answersIn(cycle, random.between(LEAST_ANSWERS, 2 * LEAST_ANSWERS));
      // The kill also happens between two answers.
      await passes(random.between(0, 7));
      await engine.kill();
      isOver = true;
      notes.killed(cycle);
      await engine.start();
      await Promise.all(calling);
      // A call that ran after the last kill has its item in the group of the cycle before.
      const stored = new Map((await Promise.all([cycle - 1, cycle].map((each) => runsIn(url, each)))).flat());
      await notes.check(cycle, stored, (key) => repeat(url, key));
      expect(notes.problems).toEqual([]);
    }
    expect(Object.keys(notes.codes).filter((code) => !CODES.has(code))).toEqual([]);
    expect(notes.answers).toBeGreaterThanOrEqual(CYCLES * LEAST_ANSWERS);
    process.stdout.write(`kill -9: ${notes.summary()}\n`);
  },
  60_000 + CYCLES * 10_000,
);
