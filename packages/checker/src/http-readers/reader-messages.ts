import type { ExactFigures } from '@rivulet/testkit/peers/exact-events';

/** The work of one process of readers. */
export interface ReaderJob {
  readonly kind: 'start';
  readonly port: number;
  readonly readers: number;
  readonly seed: number;
  /** Number of this process. It chooses the addresses of the readers. */
  readonly index: number;
  readonly groups: readonly string[];
  readonly cutWithin: number;
}

/** The state of each group after all writes. */
export interface ReaderHeads {
  readonly kind: 'heads';
  readonly offsets: Readonly<Record<string, number>>;
  readonly items: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export type ReaderCommand = ReaderJob | ReaderHeads;

export interface ReaderTotals extends ExactFigures {
  cuts: number;
  dropped: number;
  /** Readers that have not reached the end of their groups. */
  unfinished: number;
  /** Groups of readers whose items differ from the store. */
  wrongStates: number;
}

/** `open`: every reader has a first state. `done`: every reader is at the end, or nothing came for a long time. */
export type ReaderReport = { readonly kind: 'open' } | { readonly kind: 'done'; readonly totals: ReaderTotals };
