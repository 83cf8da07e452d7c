import { namesChange, Truth } from '../history/group-truth.js';
import type { FinalOp, Op } from '../history/op.js';
import type { Invariant } from './invariant.js';

/** The engine acknowledges and shows a change only when it is durable, so a crash cannot take it back. */
export const durabilityGate: Invariant = {
  id: 'I10',
  name: 'shown only when durable',
  begin: (report) => {
    const truth = new Truth();
    const commits = new Map<string, Set<number>>();
    const values = new Set<string>();
    /** The newest change of each item that any client saw. */
    const shown = new Map<string, { readonly g: string; readonly k: string; readonly e: string; readonly s: number; readonly op: Op }>();
    const finals = new Map<string, FinalOp>();
    let wiped = false;
    const saw = (op: Op, g: string, e: string, s: number, k: string | undefined) => {
      const ofGroup = commits.get(`${g}|${e}`);
      if (commits.size > 0 && ofGroup?.has(s) !== true) report(`${s} of ${g} is shown or acknowledged before it is durable`, op);
      const key = `${g}|${e}|${k ?? ''}`;
      if (k !== undefined && (shown.get(key)?.s ?? -1) < s) shown.set(key, { g, k, e, s, op });
    };
    return {
      see: (op) => {
        truth.see(op);
        if (op.f === 'commit') {
          const key = `${op.g}|${op.e}`;
          commits.set(key, (commits.get(key) ?? new Set()).add(op.s));
          if (op.v !== undefined) values.add(op.v);
        } else if (op.f === 'recv' && namesChange(op)) saw(op, op.g, op.e, op.s, op.op === 'event' ? undefined : op.k);
        else if ((op.f === 'set' || op.f === 'update' || op.f === 'delete' || op.f === 'send') && op.type === 'ok') {
          if (op.e !== undefined && op.s !== undefined) saw(op, op.g, op.e, op.s, undefined);
          else if (op.v !== undefined && commits.size > 0 && !values.has(op.v)) report(`${op.v} is acknowledged before it is durable`, op);
        } else if (op.f === 'read' && op.type === 'ok') {
          if (op.v !== undefined && commits.size > 0 && !values.has(op.v)) report(`${op.v} is read before it is durable`, op);
        } else if (op.f === 'snapshot' && commits.size > 0) {
          for (const [, v] of op.items ?? []) if (!values.has(v)) report(`${v} is shown before it is durable`, op);
        } else if (op.f === 'final') finals.set(op.g, op);
        else if (op.f === 'nemesis' && op.verb === 'wipe-store') wiped = true;
      },
      end: () => {
        for (const { g, k, e, s, op } of shown.values()) {
          const final = finals.get(g);
          if (final === undefined) continue;
          if (final.e !== e) {
            if (!wiped) report(`a change of epoch ${e} was shown, and the epoch has vanished`, op, final);
            continue;
          }
          const at = final.items?.findIndex(([id]) => id === k) ?? -1;
          if (at >= 0) {
            if ((final.changed?.[at] ?? s) < s) report(`${s} was shown, and the store has ${k} as of ${final.changed?.[at]}`, op, final);
          } else if (op.f === 'recv' && op.op !== 'delete' && !deletedAfter(truth, g, e, k, s))
            report(`${s} was shown, and the store has no ${k}`, op, final);
        }
      },
    };
  },
};

function deletedAfter(truth: Truth, g: string, e: string, k: string, s: number): boolean {
  if (truth.mayBeDeleted(g, k)) return true;
  for (const change of truth.group(g, e).changes.values()) if (change.k === k && change.v === undefined && change.s > s) return true;
  return false;
}
