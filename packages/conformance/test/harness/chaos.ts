import { RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { Random } from '@rivulet/testkit/random';

/** Seed of the run. The titles of the tests contain it, so that a failure can be repeated. */
export const CHAOS_SEED = Number(process.env.RIVULET_CHAOS_SEED ?? Date.now() % 2 ** 32);
/** Number of failures in the whole run. */
export const CHAOS_COUNT = Number(process.env.RIVULET_CHAOS_COUNT ?? 10_000);

/** Milliseconds after which a deciding function is too slow. */
export const CHAOS_TIMEOUT_MS = 120;
const LATE_MS = 300;
/** Number of simultaneous attempts. */
const AT_ONCE = 100;
const CONTROLS = 5;

/** One attempt to gain access. `mood` selects the answer of the deciding function. */
export interface Attempt<Yes> {
  readonly n: number;
  readonly mood: Mood<Yes>;
  /** Whether the answer allows access, so that the attempt must succeed. */
  readonly right: boolean;
}

/** Answers of a deciding function. `yes` is the answer that allows access. */
export type Mood<Yes> = (yes: Yes) => unknown;

const throws = () => {
  throw new WorkerError({ code: 'invocation_failed', message: 'boom' });
};
const late = (yes: unknown) => new Promise((resolve) => setTimeout(() => resolve(yes), LATE_MS));

/** Deciding functions of a worker that is killed, or lacks the functions, as the seed decides. */
export class Chaos<Yes> {
  readonly random: Random;
  readonly #workerUrl: string;
  readonly #ids: readonly string[];
  readonly #moods: readonly Mood<Yes>[];
  readonly #setUp: (worker: RawWorker, answer: Answer<Yes>) => Promise<void>;
  #worker: RawWorker | undefined;
  /** Number of calls until the worker is killed; undefined if it is not. */
  #lives: number | undefined;
  /** Number of workers that have connected for it so far. */
  workers = 0;

  /**
   * `wrong` are answers that deny access. The function may also throw or answer too late. `setUp` registers the functions with each new
   * worker.
   */
  constructor(
    workerUrl: string,
    ids: readonly string[],
    wrong: readonly unknown[],
    setUp: (worker: RawWorker, answer: Answer<Yes>) => Promise<void>,
  ) {
    this.random = new Random(CHAOS_SEED);
    this.#workerUrl = workerUrl;
    this.#ids = ids;
    this.#moods = [throws, late, ...wrong.map((value) => () => value)];
    this.#setUp = setUp;
  }

  /** Makes this number of attempts that must fail. Some attempts among them must succeed, while the worker can answer. */
  async run(
    failures: number,
    attempt: (attempt: Attempt<Yes>) => Promise<void>,
  ): Promise<{ readonly failed: number; readonly right: number }> {
    let failed = 0;
    let right = 0;
    await this.#connect();
    while (failed < failures) {
      const size = Math.min(AT_ONCE, failures - failed);
      const kind = (['killed', 'missing', 'there', 'there', 'there', 'there'] as const)[this.random.below(6)] ?? 'there';
      const attempts = Array.from({ length: size }, (_, k): Attempt<Yes> => {
        const mood = this.#moods[this.random.below(this.#moods.length)] ?? throws;
        return { n: failed + k, mood: kind === 'there' ? mood : (yes) => yes, right: false };
      });
      if (kind === 'killed') this.#lives = this.random.below(5);
      if (kind === 'missing') await this.#forget();
      if (kind === 'there') for (let k = 0; k < CONTROLS; k++) attempts.push({ n: failures + right++, mood: (yes) => yes, right: true });
      await Promise.all(attempts.map(attempt));
      failed += size;
      if (kind !== 'there') await this.#replace();
    }
    return { failed, right };
  }

  readonly #answer: Answer<Yes> = (mood, yes) => {
    if (this.#lives === undefined) return mood(yes);
    if (this.#lives-- <= 0) this.#worker?.socket.terminate();
    return new Promise(() => {});
  };

  async #connect(): Promise<void> {
    this.#lives = undefined;
    const worker = await RawWorker.connect(this.#workerUrl);
    this.#worker = worker;
    this.workers++;
    await this.#setUp(worker, this.#answer);
  }

  async #forget(): Promise<void> {
    for (const id of this.#ids) this.#worker?.send({ type: 'unregisterfunction', id });
    await this.#worker?.settled();
  }

  async #replace(): Promise<void> {
    await this.#worker?.close();
    await this.#connect();
  }
}

export type Answer<Yes> = (mood: Mood<Yes>, yes: Yes) => unknown;
