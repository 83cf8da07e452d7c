import type { StreamJoin } from '@rivulet/protocol';
import type { TokenGrants } from '../../core/jwt/token-grants.js';
import { DEFAULT_GRACE_MS } from '../leases/lease-grant.js';
import type { LeaseGrant } from '../leases/leases.js';
import type { JoinDecision, JoinEvent, JoinLeaveTriggers } from './join-leave-triggers.js';
import type { RefusedJoin } from './join-reports.js';
import type { PendingJoins } from './pending-joins.js';

/** The refusal of a join that the token does not allow. */
export const NOT_GRANTED = { because: 'refused', cause: { by: 'token_grants', reason: 'not_granted' } } as const;

const REFUSED: JoinDecision = { allowed: false, ...NOT_GRANTED };

/** The session whose joins wait for their functions. */
interface JoiningSession {
  readonly triggers: JoinLeaveTriggers;
  /** Returns the grants that count now. */
  grants(): TokenGrants | undefined;
  event(join: StreamJoin): JoinEvent;
  join(join: StreamJoin, lease: LeaseGrant | undefined): void;
  end(subscriptionId: string): void;
  /** Resolves when the client may get the next frame. */
  refuse(join: RefusedJoin): Promise<void>;
}

/** Decides the joins of a session, one after another, until none waits. */
export async function decidePending(pending: PendingJoins, session: JoiningSession): Promise<void> {
  const { triggers } = session;
  for (let message = pending.first; message !== undefined; message = pending.first) {
    if (pending.isFirstCancelled) {
      // No join function was called, so no leave function is called.
      pending.shift();
      continue;
    }
    const { subscriptionId, streamName: stream, groupId: group, itemId: item } = message;
    const event = session.event(message);
    const decided = await decideJoin(event, triggers, session.grants());
    // A refresh may have replaced the grants meanwhile.
    const decision = confirmJoin(decided, event, session.grants());
    const cancelled = pending.isFirstCancelled;
    pending.shift();
    if (!decision.allowed) {
      // The functions had allowed it, so they learn that nobody watches.
      if (decided.allowed) triggers.left(event);
      if (!cancelled) session.end(subscriptionId);
      const { because, cause } = decision;
      await session.refuse({ subscriptionId, stream, group, item, because, cause });
    } else if (cancelled) {
      triggers.left(event);
    } else {
      session.join(message, decision.lease);
    }
  }
}

/**
 * Decides about a join: first the grants of the token, then the join functions. Both must allow. `grants` is `undefined` when the listener
 * checks no tokens by itself. The token of a session may be replaced while the functions run: `confirmJoin` then decides again.
 */
export async function decideJoin(event: JoinEvent, triggers: JoinLeaveTriggers, grants: TokenGrants | undefined): Promise<JoinDecision> {
  if (!isGranted(event, grants)) return REFUSED;
  if (triggers.open) return confirmJoin({ allowed: true, lease: undefined }, event, grants);
  return confirmJoin(await triggers.decide(event), event, grants);
}

/**
 * Applies the grants that count now to a decision. A lease of a join function wins over that of the token. A lease of an earlier token does
 * not count.
 */
function confirmJoin(decision: JoinDecision, event: JoinEvent, grants: TokenGrants | undefined): JoinDecision {
  if (!decision.allowed || grants === undefined) return decision;
  if (!isGranted(event, grants)) return REFUSED;
  if (decision.lease?.source === 'function') return decision;
  const { stream_name: stream, group_id: group, id } = event;
  return { allowed: true, lease: id === null && grants.mayLease(stream, group) ? leaseOf(grants) : undefined };
}

function isGranted({ stream_name: stream, group_id: group, id }: JoinEvent, grants: TokenGrants | undefined): boolean {
  return grants === undefined || grants.mayJoin(stream, group, id ?? undefined);
}

/** Returns the lease that a token gives: an item with the name of the user, whose data the client sets. */
function leaseOf({ identity }: TokenGrants): LeaseGrant {
  return { source: 'token', item: identity, data: 'null', graceMs: DEFAULT_GRACE_MS, clientData: true };
}
