import type { Op } from '../history/op.js';
import type { Invariant } from './invariant.js';

interface Newest {
  readonly e: string;
  readonly s: number;
  readonly op: Op;
}

/** A write that begins after another was acknowledged has a higher offset. Jepsen calls a violation a non-monotonic send. */
export const realTimeOrder: Invariant = {
  id: 'I3',
  name: 'order respects real time',
  begin: (report) => {
    const newest = new Map<string, Newest>();
    const begun = new Map<string, Newest | undefined>();
    return {
      see: (op) => {
        if (op.f !== 'set' && op.f !== 'update' && op.f !== 'delete' && op.f !== 'send' && op.f !== 'batch') return;
        if (op.type === 'invoke') {
          begun.set(op.p, newest.get(op.g));
          return;
        }
        const before = begun.get(op.p);
        begun.delete(op.p);
        if (op.f !== 'batch' && op.replayed === true) return;
        if (op.type !== 'ok' || op.e === undefined || op.s === undefined) return;
        if (before !== undefined && before.e === op.e && op.s <= before.s)
          report(`${op.s} was sent after ${before.s} had been acknowledged`, before.op, op);
        const last = newest.get(op.g);
        if (last === undefined || last.e !== op.e || op.s > last.s) newest.set(op.g, { e: op.e, s: op.s, op });
      },
      end: () => {},
    };
  },
};
