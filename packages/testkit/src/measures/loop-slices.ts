import { LoopProbe } from './loop-probe.js';

/** Processor time of the main thread of an engine, in milliseconds. */
export interface Slices {
  /** The longest run without a turn of the event loop. The kernel counts in steps of up to 4 ms. */
  readonly longestMs: number;
  /** The ten longest runs, in descending order. */
  readonly longest: readonly number[];
  readonly totalMs: number;
  /** Bytes of the heap and of buffers in use. With `--expose-gc` the figure is taken after a garbage collection. */
  readonly heldBytes: number;
}

/** Measures how long the main thread of an engine process works without a turn of its event loop. */
export class LoopSlices extends LoopProbe<Slices> {
  constructor() {
    super(new URL('../../probes/loop-slices-probe.mjs', import.meta.url), 'LOOP_SLICES_FILE');
  }

  /** Returns the milliseconds of the longest run without a turn while `work` goes on. */
  async longestOf(pid: number, work: () => Promise<unknown>): Promise<number> {
    await this.take(pid);
    await work();
    return (await this.take(pid)).longestMs;
  }

  /**
   * Returns the median of `longestOf` of three runs. Other processes that share the core lengthen a run now and then, and a fault lengthens
   * most runs. Two runs within `bound` decide about three, so the third one is left out, and the longer of the two is returned.
   */
  async medianOf(pid: number, bound: number, work: () => Promise<unknown>): Promise<number> {
    const runs: number[] = [];
    while (runs.length < 3) {
      runs.push(await this.longestOf(pid, work));
      if (runs.length === 2 && Math.max(...runs) <= bound) break;
    }
    return runs.sort((a, b) => a - b)[1] ?? Number.NaN;
  }
}
