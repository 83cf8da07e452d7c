import type { GroupBounds } from '../bounds.js';
import type { Change, Expiry, WithoutGroup, WriteChange } from '../store.js';
import { expiryOf } from './write-plan.js';

/** Why an item has an expiry: `own`, because a write gave it a time to live or a lease; `age`, because `maxAgeMs` bounds its age. */
export type ExpiryCause = 'own' | 'age' | undefined;

/** The expiry of an item after a change. `age`: it expires `ms` milliseconds from now, and the next change renews the time. */
export type Lifetime = Expiry | { readonly kind: 'age'; readonly ms: number } | { readonly kind: 'permanent' } | { readonly kind: 'kept' };

const PERMANENT: Lifetime = { kind: 'permanent' };
const KEPT: Lifetime = { kind: 'kept' };

/**
 * Decides the expiry of an item after a change, for every store. With `maxAgeMs`, a time to live is at most as long, and an item without
 * one expires by its age. Leases end with their client. `cause` describes the expiry before the change.
 */
export function lifetimeOf(
  change: WriteChange | WithoutGroup<Extract<Change, { kind: 'external' }>>,
  cause: ExpiryCause,
  bounds: GroupBounds | undefined,
): Lifetime {
  const named = expiryOf(change);
  const maxAgeMs = bounds?.maxAgeMs;
  if (named !== undefined)
    return named.kind === 'ttl' && maxAgeMs !== undefined && named.ms > maxAgeMs ? { kind: 'ttl', ms: maxAgeMs } : named;
  if (change.kind === 'update' && cause === 'own') return KEPT;
  return maxAgeMs === undefined ? PERMANENT : { kind: 'age', ms: maxAgeMs };
}
