import type { Op } from '../history/op.js';
import type { Invariant } from './invariant.js';

/** The value of a write that failed is seen nowhere, and nothing is seen that nobody wrote. Jepsen: `G1a`. */
export const noFailedWrite: Invariant = {
  id: 'I9',
  name: 'failed writes are never seen',
  begin: (report) => {
    const asked = new Map<string, Op>();
    const failed = new Map<string, Op>();
    const seen = new Map<string, Op>();
    const saw = (op: Op, v: string | undefined) => {
      if (v === undefined || seen.has(v)) return;
      seen.set(v, op);
      if (!asked.has(v)) report(`${v} was never written`, op);
    };
    const wrote = (op: Op, v: string | undefined) => {
      if (v === undefined) return;
      if (op.type === 'invoke') asked.set(v, op);
      else if (op.type === 'fail') failed.set(v, op);
    };
    return {
      see: (op) => {
        if (op.f === 'set' || op.f === 'update' || op.f === 'send') wrote(op, op.v);
        else if (op.f === 'batch') for (const { v } of op.writes) wrote(op, v);
        else if (op.f === 'recv' || op.f === 'commit' || (op.f === 'read' && op.type === 'ok')) saw(op, op.v);
        else if (op.f === 'snapshot' || op.f === 'mirror' || op.f === 'final') for (const [, v] of op.items ?? []) saw(op, v);
      },
      end: () => {
        for (const [v, op] of failed) {
          const where = seen.get(v);
          if (where !== undefined) report(`${v} is of a write that failed`, op, where);
        }
      },
    };
  },
};
