import { namesChange } from '../history/group-truth.js';
import type { Op } from '../history/op.js';
import type { Invariant } from './invariant.js';

/** An offset of an epoch identifies one change, for every client and at any time. Jepsen calls a violation `inconsistent-offsets`. */
export const oneValue: Invariant = {
  id: 'I2',
  name: 'one change for each offset',
  begin: (report) => {
    const known = new Map<
      string,
      { readonly k: string | undefined; readonly v: string | undefined; readonly effect: string | undefined; readonly op: Op }
    >();
    const learn = (op: Op, g: string, e: string, s: number, k: string | undefined, v: string | undefined, effect: string | undefined) => {
      const key = `${g}|${e}|${s}`;
      const before = known.get(key);
      if (before === undefined) known.set(key, { k, v, effect, op });
      else if (before.k !== k || before.v !== v) report(`offset ${s} of ${g} is two changes`, before.op, op);
      else if (before.effect !== undefined && effect !== undefined && before.effect !== effect)
        report(`offset ${s} of ${g} is ${before.effect} for one and ${effect} for the other`, before.op, op);
      else if (before.effect === undefined && effect !== undefined) known.set(key, { k, v, effect, op });
    };
    return {
      see: (op) => {
        if (op.f === 'commit') learn(op, op.g, op.e, op.s, op.k, op.op === 'delete' ? undefined : op.v, op.op);
        // Compacted changes skip earlier changes, so an update may appear as a creation.
        else if (op.f === 'recv' && namesChange(op))
          learn(op, op.g, op.e, op.s, op.k, op.op === 'delete' ? undefined : op.v, op.compacted === true ? undefined : op.op);
        else if ((op.f === 'set' || op.f === 'update' || op.f === 'delete' || op.f === 'send') && op.type === 'ok')
          if (op.e !== undefined && op.s !== undefined) learn(op, op.g, op.e, op.s, op.k, op.v, undefined);
      },
      end: () => {},
    };
  },
};
