import { LIMITS } from '@rivulet/protocol';
import type { Fabric, PendingCall } from '../../core/fabric/fabric.js';
import type { Call, Outcome } from '../../core/fabric/invocation.js';

type InTime = Outcome | { readonly kind: 'timeout' };

/** Calls with a deadline whose replies are awaited also after it. At most `LIMITS.backendLateWrites` calls are awaited at a time. */
export class LateReplies {
  /** Number of calls whose deadline has passed and whose reply is awaited. */
  waiting = 0;

  /**
   * Calls a function as `Fabric.request` does. After a time-out `late` gets the reply, or `undefined` when too many calls are awaited.
   */
  call(fabric: Fabric, call: Call, timeoutMs: number, late: (outcome: Outcome | undefined) => void): Promise<InTime> {
    const reply = new PendingReply(this, timeoutMs, late);
    reply.pending = fabric.invoke(call, reply.end);
    return reply.inTime;
  }
}

/** The reply of one call. It does not keep the call, which may be large. */
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
