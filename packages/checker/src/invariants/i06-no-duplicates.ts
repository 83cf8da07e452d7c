import type { Op } from '../history/op.js';
import type { Invariant } from './invariant.js';

interface Seen {
  e: string;
  s: number;
  op: Op;
  readonly values: Map<string, Op>;
}

/** Number of values that are remembered for each subscription. Duplicates come soon after the original, and runs are long. */
const REMEMBERED = 4_096;

/** An application sees each change once, also when the engine repeats it on the wire. */
export const noDuplicates: Invariant = {
  id: 'I6',
  name: 'no change is shown twice',
  begin: (report) => {
    const seen = new Map<string, Seen>();
    return {
      see: (op) => {
        if (op.f === 'join' && op.type === 'invoke' && op.s === undefined) seen.delete(op.p);
        if (op.f !== 'recv' || op.via !== 'sdk') return;
        let before = seen.get(op.p);
        if (before === undefined) {
          before = { e: op.e, s: -1, op, values: new Map() };
          seen.set(op.p, before);
        }
        // A wiped store has lost its idempotency keys.
        if (before.e !== op.e) before.values.clear();
        if (before.e === op.e && op.s === before.s) report(`${op.s} is shown twice`, before.op, op);
        if (op.v !== undefined && op.op !== 'delete') {
          const first = before.values.get(op.v);
          if (first !== undefined) report(`${op.v} is shown twice`, first, op);
          else remember(before.values, op.v, op);
        }
        before.e = op.e;
        before.s = op.s;
        before.op = op;
      },
      end: () => {},
    };
  },
};

function remember(values: Map<string, Op>, v: string, op: Op): void {
  values.set(v, op);
  if (values.size <= REMEMBERED) return;
  const [oldest] = values.keys();
  if (oldest !== undefined) values.delete(oldest);
}
