import type { Op } from '../history/op.js';
import type { Invariant } from './invariant.js';

/** What may still be on its way when a right ends. */
const GRACE_MICROSECONDS = 1_000_000;

interface Right {
  readonly granted: boolean;
  /** It was there, and was taken away. */
  readonly ended: boolean;
  /** The newest grant or revocation. */
  readonly op: Op;
}

/** Everything that an identity gets of a group lies within the time in which it may read the group. */
export const authorization: Invariant = {
  id: 'I11',
  name: 'only who may read gets anything',
  begin: (report) => {
    const rights = new Map<string, Right>();
    /** Groups that not everybody may read. */
    const guarded = new Set<string>();
    const identities = new Map<string, string>();
    return {
      see: (op) => {
        if (op.f === 'grant' || op.f === 'revoke') {
          guarded.add(op.g);
          const key = `${op.who}|${op.g}`;
          // What was never granted has no time in which it ends.
          rights.set(key, { granted: op.f === 'grant', ended: op.f === 'revoke' && rights.get(key)?.granted === true, op });
        } else if (op.f === 'join') identities.set(op.p, op.who);
        if ((op.f !== 'snapshot' && op.f !== 'recv') || !guarded.has(op.g)) return;
        const who = identities.get(op.p) ?? '';
        const right = rights.get(`${who}|${op.g}`);
        if (right?.granted === true || (right?.ended === true && op.t - right.op.t <= GRACE_MICROSECONDS)) return;
        report(`${who} may not read ${op.g}`, right?.op, op);
      },
      end: () => {},
    };
  },
};
