import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { it } from 'vitest';
import { connect, StreamError } from '../../src/index.js';
import { CallModel } from '../call-model.js';
import { TestClock } from '../test-clock.js';

type Step =
  | { readonly do: 'call' | 'take' | 'deliver' | 'accept' | 'drop' | 'stop' }
  | { readonly do: 'finish' | 'fail' | 'abort' | 'pass'; readonly count: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom('call' as const, 'take' as const, 'deliver' as const).map((what) => ({ do: what })) },
  { weight: 5, arbitrary: fc.nat(9).map((count) => ({ do: 'finish' as const, count })) },
  { weight: 2, arbitrary: fc.nat(9).map((count) => ({ do: 'fail' as const, count })) },
  { weight: 3, arbitrary: fc.constant({ do: 'accept' as const }) },
  { weight: 2, arbitrary: fc.constant({ do: 'drop' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'stop' as const }) },
  { weight: 1, arbitrary: fc.nat(9).map((count) => ({ do: 'abort' as const, count })) },
  { weight: 2, arbitrary: fc.constantFrom(50, 5_000, 50_000, 400_000).map((count) => ({ do: 'pass' as const, count })) },
);

/** The codes with which a call may end here, and whether it may have run. */
const MAY_HAVE_RUN: Readonly<Record<string, boolean>> = {
  refused: true,
  ABORTED: true,
  TIMEOUT: true,
  OUTCOME_UNKNOWN: true,
  NOT_SENT: false,
  QUEUE_FULL: false,
};

class Trial {
  readonly #engine = new CallModel();
  readonly #clock = new TestClock();
  readonly #client = connect('ws://localhost', {
    silenceMs: 0,
    calls: { maxQueued: 6 },
    runtime: { clock: this.#clock, random: () => 0.5, openSocket: this.#engine.openSocket, wakeSource: () => () => {} },
  });
  readonly #controllers: AbortController[] = [];
  /** How often each call has ended, and with what. */
  readonly #ends = new Map<string, string[]>();

  async run(steps: readonly Step[]): Promise<void> {
    for (const each of steps) this.#take(each);
    await this.#heal();
    for (const [name, ends] of this.#ends) {
      const [end = 'never'] = ends;
      assert.equal(ends.length, 1, `${name} ended once`);
      const runs = this.#engine.runs.get(name) ?? 0;
      assert.ok(runs <= 1, `${name} ran at most once`);
      if (end === `result ${name}`) assert.equal(runs, 1);
      else assert.ok(runs === 0 || MAY_HAVE_RUN[end] === true, `${name} ended as ${end} and ran ${runs} times`);
    }
    const order = this.#engine.began.map(Number);
    assert.deepEqual(
      order,
      [...order].sort((one, other) => one - other),
      'the functions begin in the order of the calls',
    );
    const last = this.#client.call('last').catch((error: unknown) => error);
    const closed = this.#client.close();
    this.#clock.pass(2_000);
    await closed;
    assert.equal(((await last) as StreamError).code, 'CLOSED');
    assert.equal(this.#clock.pending, 0);
  }

  #take(each: Step): void {
    switch (each.do) {
      case 'call':
        return this.#call();
      case 'take':
        return this.#engine.take();
      case 'stop':
        return this.#stop();
      case 'deliver':
        return this.#engine.deliver();
      case 'accept':
        return this.#engine.accept();
      case 'drop':
        return this.#engine.drop();
      case 'finish':
        return this.#finish(each.count);
      case 'fail':
        return this.#engine.finish(each.count, () => ({ kind: 'error', code: 'refused' }));
      case 'abort':
        return this.#controllers[each.count]?.abort();
      case 'pass':
        return this.#clock.pass(each.count);
      default:
        return each satisfies never;
    }
  }

  #call(): void {
    const name = String(this.#controllers.length);
    const controller = new AbortController();
    this.#controllers.push(controller);
    const ends: string[] = [];
    this.#ends.set(name, ends);
    this.#client.call('run', name, { signal: controller.signal, idempotencyKey: `k${name}` }).then(
      (result) => ends.push(`result ${String(result)}`),
      (error: unknown) => ends.push(error instanceof StreamError ? error.code : String(error)),
    );
  }

  #finish(at: number): void {
    this.#engine.finish(at, (key) => ({ kind: 'result', value: key.slice(1) }));
  }

  /** An engine that stops refuses every later call of the connection, and then ends it. */
  #stop(): void {
    for (let at = 0; at < 40; at++) this.#engine.take(true);
    for (let at = 0; at < 40; at++) this.#engine.deliver();
    this.#engine.drop();
  }

  async #heal(): Promise<void> {
    for (let round = 0; round < 20; round++) {
      this.#clock.pass(20_000);
      this.#engine.accept();
      for (let at = 0; at < 40; at++) {
        this.#engine.take();
        this.#finish(0);
        this.#engine.deliver();
      }
      await Promise.resolve();
    }
    this.#clock.pass(600_000);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }
}

it('RV-60 RV-63 whatever the network and the engine do, each call ends once, runs at most once, and begins in its turn', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 80 }), (steps) => new Trial().run([{ do: 'accept' }, ...steps])),
    { numRuns: Number(process.env.RIVULET_CLIENT_RUNS ?? 1_000), endOnFailure: true },
  );
});
