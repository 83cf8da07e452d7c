import type { CallOp, MemberOp, Op } from '../history/op.js';
import type { Invariant } from './invariant.js';

interface Call {
  readonly invoked: Op;
  ended?: CallOp;
  answer?: CallOp;
  executed?: CallOp;
}

/** A call is executed at most once and ends exactly once. The leave function is called exactly once for each allowed subscription. */
export const invocation: Invariant = {
  id: 'I12',
  name: 'one answer, at most one execution',
  begin: (report) => {
    const calls = new Map<string, Call>();
    const members = new Map<string, { readonly entered: MemberOp; left?: MemberOp }>();
    const ofCall = (op: CallOp): Call | undefined => {
      const call = calls.get(op.call);
      if (call === undefined) report(`${op.f} of a call that no worker made`, op);
      return call;
    };
    const seeCall = (op: CallOp) => {
      if (op.f === 'call' && op.type === 'invoke') {
        calls.set(op.call, { invoked: op });
        return;
      }
      const call = ofCall(op);
      if (call === undefined) return;
      if (op.f === 'exec') {
        if (call.executed !== undefined) report(`${op.call} is executed twice`, call.executed, op);
        call.executed = op;
      } else if (op.f === 'answer') {
        if (call.answer !== undefined) report(`${op.call} is answered twice`, call.answer, op);
        call.answer = op;
      } else {
        if (call.ended !== undefined) report(`${op.call} ends twice`, call.ended, op);
        if (op.type === 'ok' && op.v !== call.executed?.v)
          report(`the result of ${op.call} is not the one that its function returned`, call.executed, op);
        call.ended = op;
      }
    };
    return {
      see: (op) => {
        if (op.f === 'call' || op.f === 'exec' || op.f === 'answer') seeCall(op);
        else if (op.f === 'entered') members.set(op.sub, { entered: op });
        else if (op.f === 'left') {
          const member = members.get(op.sub);
          if (member === undefined) report('a leave of a subscription that was never allowed', op);
          else if (member.left !== undefined) report(`${op.sub} leaves twice`, member.left, op);
          else member.left = op;
        } else if (op.f === 'nemesis' && op.verb === 'kill-engine') {
          // A killed engine cannot call the leave function for its subscriptions.
          for (const [sub, { left }] of members) if (left === undefined) members.delete(sub);
        }
      },
      end: () => {
        for (const [id, { invoked, ended }] of calls) if (ended === undefined) report(`${id} never ends`, invoked);
        for (const [sub, { entered, left }] of members)
          if (left === undefined) report(`${sub} was allowed, and its leave function is never called`, entered);
      },
    };
  },
};
