import type { Op } from '../history/op.js';
import type { Invariant } from './invariant.js';

interface Place {
  readonly e: string;
  readonly s: number;
  readonly ts: number | undefined;
  readonly op: Op;
}

/**
 * Offsets and timestamps of a subscription only grow, and each new epoch begins with a snapshot. Jepsen calls a violation
 * `nonmonotonic-poll`.
 */
export const monotonic: Invariant = {
  id: 'I5',
  name: 'no subscription goes back',
  begin: (report) => {
    const places = new Map<string, Place>();
    return {
      see: (op) => {
        if (op.f === 'join' && op.type === 'invoke' && op.s === undefined) places.delete(op.p);
        if (op.f === 'snapshot') {
          const before = places.get(op.p);
          if (before?.e === op.e && op.s < before.s) report(`its cursor was at ${before.s}, and it gets a state of ${op.s}`, before.op, op);
          if (before?.e === op.e && before.ts !== undefined && op.ts !== undefined && op.ts < before.ts)
            report(`timestamps go back from ${before.ts} to ${op.ts}`, before.op, op);
          places.set(op.p, { e: op.e, s: op.s, ts: op.ts, op });
        }
        if (op.f !== 'recv' || op.via !== 'sdk') return;
        const before = places.get(op.p);
        if (before !== undefined && before.e !== op.e) report(`epoch ${op.e} came without a snapshot`, before.op, op);
        else if (before !== undefined && op.s < before.s) report(`${before.s} is followed by ${op.s}`, before.op, op);
        else if (before?.ts !== undefined && op.ts !== undefined && op.ts <= before.ts)
          report(`timestamp ${before.ts} is followed by ${op.ts}`, before.op, op);
        places.set(op.p, { e: op.e, s: op.s, ts: op.ts ?? before?.ts, op });
      },
      end: () => {},
    };
  },
};
