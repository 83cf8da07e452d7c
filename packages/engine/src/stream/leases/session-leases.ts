import { CLOSE_CODES, type ErrorCode, type JsonText, LIMITS } from '@rivulet/protocol';
import type { GroupRef } from '../../store/store.js';
import { type Lease, type LeaseGrant, type Leases, leaseError } from './leases.js';

export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Close codes of connections that their client did not mean to end, or is told to make again. */
const DROPS = new Set<number>([1006, CLOSE_CODES.internal.code, CLOSE_CODES.restart.code, CLOSE_CODES.tryLater.code]);

/** What the joins of one session hold, by subscription id. */
export class SessionLeases {
  readonly #leases: Leases;
  readonly #held = new Map<string, Lease>();
  #second = 0;
  #updates = 0;

  constructor(leases: Leases) {
    this.#leases = leases;
  }

  /** `grant` undefined: the join holds nothing any more. An item that it held before and holds again stays as it is meanwhile. */
  replace(subscriptionId: string, ref: GroupRef, grant: LeaseGrant | undefined): Refusal | undefined {
    const before = this.#held.get(subscriptionId);
    this.#held.delete(subscriptionId);
    try {
      if (grant !== undefined) this.#held.set(subscriptionId, this.#leases.hold(ref, grant));
      return undefined;
    } catch (error) {
      return leaseError(error);
    } finally {
      before?.end('left');
    }
  }

  /** New data from the client, where its join function has allowed that (rule RV-42). */
  update(subscriptionId: string, data: JsonText): Refusal | undefined {
    const lease = this.#held.get(subscriptionId);
    if (lease?.clientData !== true) return NOT_HELD;
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

  leave(subscriptionId: string): void {
    this.#held.get(subscriptionId)?.end('left');
    this.#held.delete(subscriptionId);
  }

  closed(code: number): void {
    for (const lease of this.#held.values()) lease.end(DROPS.has(code) ? 'dropped' : 'left');
    this.#held.clear();
  }
}

export const NOT_HELD: Refusal = { code: 'FORBIDDEN', message: 'this join holds no item whose data the client may replace' };
