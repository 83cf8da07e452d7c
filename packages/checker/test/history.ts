import type { NewOp, Op } from '../src/history/op.js';
import { Recorder } from '../src/history/recorder.js';

/** Returns a history with one operation every millisecond. */
export function historyOf(...ops: readonly NewOp[]): Op[] {
  const history: Op[] = [];
  let now = 0;
  const recorder = new Recorder(
    () => (now += 1_000),
    (op) => history.push(op),
  );
  for (const op of ops) recorder.record(op);
  return history;
}
