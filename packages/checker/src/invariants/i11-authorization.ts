import type { Op } from '../history/op.js';
import type { Invariant } from './invariant.js';

/** Time in which data may still arrive after a permission ended. */
const GRACE_MICROSECONDS = 1_000_000;

interface Right {
  readonly granted: boolean;
  /** Whether the permission was granted and then revoked. */
  readonly ended: boolean;
  /** The newest grant or revocation. */
  readonly op: Op;
}

/** An identity receives data of a group only while it is permitted to read the group. */
export const authorization: Invariant = {
  id: 'I11',
  name: 'data only for permitted readers',
  begin: (report) => {
    const rights = new Map<string, Right>();
    /** Groups that need a permission. */
    const guarded = new Set<string>();
    const identities = new Map<string, string>();
    return {
      see: (op) => {
        if (op.f === 'grant' || op.f === 'revoke') {
          guarded.add(op.g);
          const key = `${op.who}|${op.g}`;
          // A permission that was never granted has no grace period.
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
