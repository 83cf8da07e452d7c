import type { TokenGrants } from '../../core/jwt/token-grants.js';
import { DEFAULT_GRACE_MS } from '../leases/lease-grant.js';
import type { LeaseGrant } from '../leases/leases.js';
import type { JoinDecision, JoinEvent, JoinLeaveTriggers } from './join-leave-triggers.js';

const REFUSED: JoinDecision = { allowed: false, because: 'refused' };

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
export function confirmJoin(decision: JoinDecision, event: JoinEvent, grants: TokenGrants | undefined): JoinDecision {
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
