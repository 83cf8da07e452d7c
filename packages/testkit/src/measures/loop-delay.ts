import { LoopProbe } from './loop-probe.js';

export interface LoopFigures {
  /** 99th percentile of the lateness of the event loop by the wall clock, in milliseconds. Other processes on the machine add to it. */
  readonly p99Ms: number;
  readonly maxMs: number;
  /**
   * 99th percentile of the main thread's processor time between two ticks of a 5 ms timer, in milliseconds. It is the work of one turn of
   * the event loop.
   */
  readonly sliceP99Ms: number;
  readonly sliceMaxMs: number;
}

/** Measures how late the event loop of an engine process runs, and how much work one turn of it does. */
export class LoopDelay extends LoopProbe<LoopFigures> {
  constructor() {
    super(new URL('../../probes/loop-delay-probe.mjs', import.meta.url), 'LOOP_DELAY_FILE');
  }
}
