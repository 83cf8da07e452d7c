import { CLOSE_CODES, type ErrorCode, type JsonText, LIMITS } from '@rivulet/protocol';
import type { GroupRef } from '../../store/store.js';
import { type Lease, type LeaseGrant, type Leases, leaseError } from './leases.js';

export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Close codes of connections that the client is expected to open again: it lost them, or the engine closed them. */
const DROPS = new Set<number>([1006, CLOSE_CODES.internal.code, CLOSE_CODES.restart.code, CLOSE_CODES.tryLater.code]);

/** The leases of the joins of one session, by subscription id. */
export class SessionLeases {
  readonly #leases: Leases;
  readonly #byId = new Map<string, Lease>();
  /** Second in which `#updates` were counted. */
  #second = 0;
  #updates = 0;

  constructor(leases: Leases) {
    this.#leases = leases;
  }

  /**
   * Replaces the lease of a join. `grant` undefined: the join has none any more. The new lease begins before the old one ends, so an item
   * that both lease is not deleted in between. Returns the reason when the new lease is refused.
   */
  replace(subscriptionId: string, ref: GroupRef, grant: LeaseGrant | undefined): Refusal | undefined {
    const before = this.#byId.get(subscriptionId);
    this.#byId.delete(subscriptionId);
    try {
      if (grant !== undefined) this.#byId.set(subscriptionId, this.#leases.lease(ref, grant));
      return undefined;
    } catch (error) {
      return leaseError(error);
    } finally {
      before?.end('left');
    }
  }

  /** Replaces the data of a lease, when its join function allowed that (rule RV-42). Returns the reason when the data is refused. */
  update(subscriptionId: string, data: JsonText): Refusal | undefined {
    const lease = this.#byId.get(subscriptionId);
    if (lease?.clientData !== true) return NOT_LEASED;
    if (Buffer.byteLength(data) > LIMITS.leaseDataBytes)
      return { code: 'VALUE_TOO_LARGE', message: `the data of a lease is at most ${LIMITS.leaseDataBytes} bytes of JSON` };
    const second = Math.floor(performance.now() / 1_000);
    if (this.#second !== second) this.#updates = 0;
    this.#second = second;
    if (++this.#updates > LIMITS.leaseUpdatesPerSecond)
      return { code: 'RATE_LIMITED', message: `at most ${LIMITS.leaseUpdatesPerSecond} times a second; send the newest again in a second` };
    lease.update(data);
    return undefined;
  }

  /** Ends the lease of a join that the client has left. */
  leave(subscriptionId: string): void {
    this.#byId.get(subscriptionId)?.end('left');
    this.#byId.delete(subscriptionId);
  }

  /** Ends the lease of a join that goes on, if the token of the client gave it. A new token does not give it any more. */
  withdraw(subscriptionId: string): void {
    if (this.#byId.get(subscriptionId)?.source === 'token') this.leave(subscriptionId);
  }

  /** Ends all leases, because the connection closed with this code. */
  closed(code: number): void {
    for (const lease of this.#byId.values()) lease.end(DROPS.has(code) ? 'dropped' : 'left');
    this.#byId.clear();
  }
}

const NOT_LEASED: Refusal = { code: 'FORBIDDEN', message: 'this join holds no item whose data the client may replace' };

/** The leases of a session that has none. */
export const NO_LEASES = { update: (): Refusal => NOT_LEASED };
