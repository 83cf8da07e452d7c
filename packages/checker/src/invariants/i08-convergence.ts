import type { FinalOp, MirrorOp, Op } from '../history/op.js';
import { hashOf } from '../state-hash.js';
import type { Invariant } from './invariant.js';

/** When all faults and writes have ended, every subscription has the state of the store. Jepsen calls a violation `unseen`. */
export const convergence: Invariant = {
  id: 'I8',
  name: 'mirrors equal the store',
  begin: (report) => {
    let quiet: Op | undefined;
    const mirrors = new Map<string, MirrorOp>();
    const finals = new Map<string, FinalOp>();
    const waiting = new Map<string, Op>();
    return {
      see: (op) => {
        if (op.f === 'nemesis' && op.verb === 'quiet') {
          quiet = op;
          mirrors.clear();
        } else if (op.f === 'mirror' && quiet !== undefined) mirrors.set(op.p, op);
        else if (op.f === 'final') finals.set(op.g, op);
        else if (op.f === 'join') {
          if (op.type === 'invoke') waiting.set(op.p, op);
          else if (op.type === 'fail') waiting.delete(op.p);
        } else if (op.f === 'close' && op.type === 'ok') waiting.delete(op.p);
      },
      end: () => {
        if (quiet === undefined) return;
        for (const mirror of mirrors.values()) {
          const final = finals.get(mirror.g);
          if (final === undefined) continue;
          if (mirror.e !== final.e) report(`it is in epoch ${mirror.e}, the store in ${final.e}`, mirror, final);
          else if (mirror.s > final.s) report(`its cursor is at ${mirror.s}, the store at ${final.s}`, mirror, final);
          else if (mirror.hash !== expected(mirror, final)) report('its state differs from the store', mirror, final);
        }
        for (const [p, op] of waiting) if (!mirrors.has(p)) report('a subscription has no state at the end', op, quiet);
      },
    };
  },
};

function expected({ item, loose }: MirrorOp, { items = [], hash }: FinalOp): string {
  if (item === undefined && loose !== true) return hash;
  const shown = item === undefined ? items : items.filter(([id]) => id === item);
  return hashOf(loose === true ? shown.map(([id, v]) => [id, v, 0]) : shown);
}
