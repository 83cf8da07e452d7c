import { randomUUID } from 'node:crypto';
import { type ErrorCode, LIMITS } from '@rivulet/protocol';
import type { SessionDirectory } from '../../../core/revocation/session-directory.js';
import type { Clock } from '../../../structures/clock.js';
import { credentialDigest } from '../../../transport/upgrade/credential-digest.js';
import { decodeQuery } from '../../../transport/upgrade/upgrade-input.js';
import type { UpgradeRequest } from '../../../transport/upgrade/upgrade-request.js';
import type { JoinRefusalCause, WhyRecords } from '../../../why/why-records.js';
import type { AuthDecision, AuthGate } from '../../session/auth-gate.js';
import { type JoinLeaveTriggers, joinEvent } from '../../session/join-leave-triggers.js';
import { decideJoin } from '../../session/token-joins.js';
import type { ReadRef } from './read-target.js';

/** The decision about one plain read (rule RV-54). */
export type ReadDecision = ReadAllowed | Refused;

export interface ReadAllowed {
  readonly kind: 'allowed';
  /** Name of the user; `undefined` when there is none. */
  readonly identity: string | undefined;
  /** Unix milliseconds at which the access ends; `undefined`: never. */
  readonly expiresAtMs: number | undefined;
}

export interface Refused {
  readonly kind: 'refused';
  readonly status: 401 | 403 | 503;
  readonly code: ErrorCode;
  readonly message: string;
}

interface Allow {
  readonly decision: ReadAllowed;
  /** Monotonic milliseconds until which the allow counts. */
  readonly until: number;
}

interface ReadAccessDeps {
  readonly auth: AuthGate;
  readonly triggers: JoinLeaveTriggers;
  readonly directory: SessionDirectory;
  readonly clock: Clock;
  /** Records refused joins. @default nothing */
  readonly why?: WhyRecords | undefined;
}

/** Parameters of the query that say what to read. They are no credentials. */
const READING = new Set(['since', 'wait', 'limit', 'after']);
/** Headers that say what to read. */
const READING_HEADERS = ['if-none-match', 'last-event-id', 'cache-control', 'pragma'];

/** The refusal of a reader whose access ended while its join functions decided. */
export const EXPIRED: Refused = { kind: 'refused', status: 401, code: 'UNAUTHORIZED', message: 'the access has expired' };
const FORBIDDEN: Refused = { kind: 'refused', status: 403, code: 'FORBIDDEN', message: 'the join was refused' };

/**
 * Decides who may read by plain requests. It calls the auth function and the functions of `stream:join`, and keeps an allow for
 * `LIMITS.readAllowMs`, for the same credential, address, group and item. A revocation of the identity drops it.
 */
export class ReadAccess {
  readonly #deps: ReadAccessDeps;
  /** Allows by credential and group, the oldest first. */
  readonly #allowed = new Map<string, Allow>();
  /** Grows when all allows are dropped. A decision that began before is not kept. */
  #generation = 0;

  constructor(deps: ReadAccessDeps) {
    this.#deps = deps;
    deps.directory.onDisconnect((identity) => this.#drop(identity));
  }

  /** Whether everyone gets the same answers, so that caches may keep them. */
  isPublic({ headers, rawQuery }: UpgradeRequest): boolean {
    const { auth, triggers } = this.#deps;
    return !auth.authenticates && triggers.open && headers.authorization === undefined && decodeQuery(rawQuery)['token'] === undefined;
  }

  async decide(request: UpgradeRequest, ref: ReadRef): Promise<ReadDecision> {
    const { auth, triggers, directory, clock, why } = this.#deps;
    if (!auth.authenticates && triggers.open) {
      const decision = await auth.decide(request);
      return decision.kind === 'allowed' ? allowedBy(decision) : refusedBy(decision);
    }
    const key = keyOf(request, ref);
    const now = clock.monotonic();
    const generation = this.#generation;
    const kept = this.#allowed.get(key);
    if (kept !== undefined && kept.until > now && !hasEnded(kept.decision, clock)) return kept.decision;
    const { answer, revoked } = await directory.ask(async () => {
      const decision = await auth.decide(request);
      if (decision.kind === 'refused') return decision;
      const event = { ...joinEvent(randomUUID(), ref, ref.item, decision), transport: 'http' } as const;
      const join = await decideJoin(event, triggers, decision.grants);
      if (join.allowed) return decision;
      noteRefusedRead(why, request, decision.identity, join.cause);
      return FORBIDDEN;
    });
    if (answer.kind === 'refused') return 'code' in answer ? answer : refusedBy(answer);
    if (revoked(answer.identity)) return { kind: 'refused', status: 401, code: 'UNAUTHORIZED', message: 'the access was revoked' };
    const decision = allowedBy(answer);
    // The join functions may have taken longer than the access lasts.
    if (hasEnded(decision, clock)) return EXPIRED;
    if (generation === this.#generation) this.#keep(key, decision, now);
    return decision;
  }

  /** Drops all allows, because keys or grants of tokens were replaced. */
  forget(): void {
    this.#generation++;
    this.#allowed.clear();
  }

  #keep(key: string, decision: ReadAllowed, now: number): void {
    this.#allowed.delete(key);
    this.#allowed.set(key, { decision, until: now + LIMITS.readAllowMs });
    for (const [oldest, { until }] of this.#allowed) {
      if (this.#allowed.size <= LIMITS.readAllows && until > now) break;
      this.#allowed.delete(oldest);
    }
  }

  #drop(identity: string): void {
    for (const [key, allow] of this.#allowed) if (allow.decision.identity === identity) this.#allowed.delete(key);
  }
}

/** Records that a join of a read by plain HTTP was refused. Such a read has no session. */
export function noteRefusedRead(
  why: WhyRecords | undefined,
  { remoteAddress: address }: Pick<UpgradeRequest, 'remoteAddress'>,
  identity: string | undefined,
  { reason }: JoinRefusalCause,
): void {
  why?.upgradeRefused({ identity, address, by: 'stream_join', reason });
}

/** Returns whether an access is over. */
export function hasEnded({ expiresAtMs }: Pick<ReadAllowed, 'expiresAtMs'>, clock: Pick<Clock, 'now'>): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= clock.now();
}

function allowedBy({ identity, expiresAtMs }: Extract<AuthDecision, { kind: 'allowed' }>): ReadAllowed {
  return { kind: 'allowed', identity, expiresAtMs };
}

/** Returns a key of everything by which a function may decide about the request. Nobody can read a token back from it. */
function keyOf(request: UpgradeRequest, { stream, group, item }: ReadRef): string {
  const rawQuery = request.rawQuery
    .split('&')
    .filter((part) => !READING.has(part.split('=', 1)[0] ?? ''))
    .join('&');
  const headers = { ...request.headers };
  for (const name of READING_HEADERS) delete headers[name];
  const digest = credentialDigest({ ...request, rawQuery, headers });
  return JSON.stringify([digest, request.addressGroup, stream, group, item]);
}

/** Returns the refusal of a plain read by the auth function. */
export function refusedBy({ status, reason }: Extract<AuthDecision, { kind: 'refused' }>): Refused {
  if (status === 403) return { kind: 'refused', status, code: 'ORIGIN_NOT_ALLOWED', message: 'pages of this origin may not read' };
  if (status === 503)
    return { kind: 'refused', status, code: 'AUTH_UNDECIDED', message: `nobody decided about the credentials: ${reason}; try again later` };
  return { kind: 'refused', status: 401, code: 'UNAUTHORIZED', message: 'the credentials were refused' };
}
