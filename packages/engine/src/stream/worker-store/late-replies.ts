import { LIMITS } from '@rivulet/protocol';
import type { Fabric, PendingCall } from '../../core/fabric/fabric.js';
import type { Call, Outcome } from '../../core/fabric/invocation.js';

type InTime = Outcome | { readonly kind: 'timeout' };

/** Calls with a deadline whose late answers are waited for, as long as there are not too many of them. */
export class LateReplies {
  /** Calls whose time is over and that may still be answered. */
  waiting = 0;

  /** As `request` of the fabric. `late` gets what comes after the timeout; `undefined`: it is not waited for. */
  ask(fabric: Fabric, call: Call, timeoutMs: number, late: (outcome: Outcome | undefined) => void): Promise<InTime> {
    const reply = new PendingReply(this, timeoutMs, late);
    reply.pending = fabric.invoke(call, reply.end);
    return reply.inTime;
  }
}

/** Apart from the call, which may be large and is not kept while it waits for a late answer. */
class PendingReply {
  readonly inTime: Promise<InTime>;
  readonly end: (outcome: Outcome) => void;
  pending: PendingCall | undefined;

  constructor(answers: LateReplies, timeoutMs: number, late: (outcome: Outcome | undefined) => void) {
    let resolve: (outcome: InTime) => void = () => {};
    this.inTime = new Promise((settle) => {
      resolve = settle;
    });
    let waits = false;
    const timer = setTimeout(() => {
      resolve({ kind: 'timeout' });
      if (answers.waiting < LIMITS.backendLateWrites) {
        waits = true;
        answers.waiting++;
        return;
      }
      this.pending?.cancel();
      late(undefined);
    }, timeoutMs);
    this.end = (outcome) => {
      clearTimeout(timer);
      resolve(outcome);
      if (!waits) return;
      answers.waiting--;
      late(outcome);
    };
  }
}
