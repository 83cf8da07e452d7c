import { Truth } from '../history/group-truth.js';
import type { FinalOp, Op, WriteOp } from '../history/op.js';
import type { Invariant, Report } from './invariant.js';

/** The store has every acknowledged write at the end, or a later write of its item. Jepsen calls a violation `lost-write`. */
export const noLostWrite: Invariant = {
  id: 'I1',
  name: 'no lost acknowledged write',
  begin: (report) => {
    const truth = new Truth();
    const acknowledged: WriteOp[] = [];
    const finals = new Map<string, FinalOp>();
    let wiped: Op | undefined;
    return {
      see: (op) => {
        truth.see(op);
        if (op.f === 'nemesis' && op.verb === 'wipe-store') wiped = op;
        else if (op.f === 'final') finals.set(op.g, op);
        else if (op.f === 'batch' && op.type === 'ok') {
          const { i, t, p, type, g } = op;
          for (const { k, v } of op.writes) if (v !== undefined) acknowledged.push({ i, t, p, type, g, f: 'set', k, v });
        } else if ((op.f === 'set' || op.f === 'update' || op.f === 'delete') && op.type === 'ok' && op.unchanged !== true)
          acknowledged.push(op);
      },
      end: () => {
        for (const op of acknowledged) {
          const final = finals.get(op.g);
          if (final !== undefined) judge(op, final, truth, wiped, report);
        }
      },
    };
  },
};

function judge(op: WriteOp, final: FinalOp, truth: Truth, wiped: Op | undefined, report: Report): void {
  const { k } = op;
  const place = op.e !== undefined && op.s !== undefined ? { e: op.e, s: op.s } : truth.placeOf(op.v ?? '');
  // The place of this write is unknown: a later write replaced its value before any client saw it.
  if (k === undefined || place === undefined) {
    if (k !== undefined && op.f !== 'delete' && wiped === undefined && gone(op.g, k, final, truth))
      report('the store has no item of an acknowledged write', op, final);
    return;
  }
  if (place.e !== final.e) {
    if (wiped === undefined || wiped.i < op.i) report(`an acknowledged write is of epoch ${place.e}, which has vanished`, op, final);
    return;
  }
  const { changes, complete } = truth.group(op.g, place.e);
  const stored = changes.get(place.s);
  if (complete && (stored?.op.f !== 'commit' || stored.k !== k)) report(`an acknowledged write is not in the log at offset ${place.s}`, op);
  const at = indexOf(final, k);
  const changed = at < 0 ? undefined : final.changed?.[at];
  if (at >= 0) {
    if (changed !== undefined && changed < place.s)
      report(`the store holds ${k} as of ${changed}, an acknowledged write is at ${place.s}`, op, final);
    return;
  }
  if (op.f === 'delete' || truth.mayBeDeleted(op.g, k)) return;
  for (const change of changes.values()) if (change.k === k && change.v === undefined && change.s > place.s) return;
  report(`the store has no ${k}, and no write deleted it after ${place.s}`, op, final);
}

function gone(g: string, k: string, final: FinalOp, truth: Truth): boolean {
  if (indexOf(final, k) >= 0 || truth.mayBeDeleted(g, k)) return false;
  for (const change of truth.group(g, final.e).changes.values()) if (change.k === k && change.v === undefined) return false;
  return true;
}

function indexOf(final: FinalOp, k: string): number {
  return final.items?.findIndex(([id]) => id === k) ?? -1;
}
