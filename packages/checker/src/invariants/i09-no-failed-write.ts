import type { Op } from '../history/op.js';
import type { Invariant } from './invariant.js';

/** No client sees the value of a failed write, or a value that no client noteWrite. Jepsen calls a violation `G1a`. */
export const noFailedWrite: Invariant = {
  id: 'I9',
  name: 'failed writes are never seen',
  begin: (report) => {
    const written = new Map<string, Op>();
    const failed = new Map<string, Op>();
    const seen = new Map<string, Op>();
    const noteSeen = (op: Op, v: string | undefined) => {
      if (v === undefined || seen.has(v)) return;
      seen.set(v, op);
      if (!written.has(v)) report(`${v} was never written`, op);
    };
    const noteWrite = (op: Op, v: string | undefined) => {
      if (v === undefined) return;
      if (op.type === 'invoke') written.set(v, op);
      else if (op.type === 'fail') failed.set(v, op);
    };
    return {
      see: (op) => {
        if (op.f === 'set' || op.f === 'update' || op.f === 'send') noteWrite(op, op.v);
        else if (op.f === 'batch') for (const { v } of op.writes) noteWrite(op, v);
        else if (op.f === 'recv' || op.f === 'commit' || (op.f === 'read' && op.type === 'ok')) noteSeen(op, op.v);
        else if (op.f === 'snapshot' || op.f === 'mirror' || op.f === 'final') for (const [, v] of op.items ?? []) noteSeen(op, v);
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
