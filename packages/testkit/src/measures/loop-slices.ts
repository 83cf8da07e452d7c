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
}
