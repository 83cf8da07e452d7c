import { CLOSE_CODES, LIMITS } from '@rivulet/protocol';
import type { GroupRef } from '../../store/store.js';
import type { CursorView, JoinView, SessionView } from '../../why/views.js';
import type { EndedJoin, EndedSession, SessionEnd } from '../../why/why-records.js';
import type { Membership, Subscription } from '../fanout/subscription.js';

/** Why a session ends whose access ends. */
export const ACCESS_ENDS = { expired: 'token_expired', revoked: 'revoked', refused: 'token_refused' } as const;

/** A session, as its view reads it. */
interface ViewedSession {
  readonly number: number;
  readonly sessionId: string;
  readonly identity: string | undefined;
  readonly ownedBytes: number;
  joins(): Iterable<readonly [id: string, membership: Membership]>;
  unjoined(ref: GroupRef): { readonly isWaiting: boolean; readonly refused: number };
}

/** A session that ends. Its id is known if somebody has read it. */
interface EndingSession extends Pick<ViewedSession, 'number' | 'identity' | 'joins'> {
  readonly knownSessionId: string | undefined;
}

/** Returns a session as an explanation sees it. */
export function viewOf(session: ViewedSession): SessionView {
  return {
    number: session.number,
    sessionId: session.sessionId,
    identity: session.identity,
    unsentBytes: session.ownedBytes,
    joins: joinViews(session.joins()),
    cursorOf: ({ stream, group }) => {
      const joins = Array.from(joinViews(session.joins())).filter((join) => join.stream === stream && join.group === group);
      const [join] = joins;
      return join && cursorOf(join.subscription, joins);
    },
    unjoined: (ref) => session.unjoined(ref),
  };
}

/** Returns the record of a session that ends with a close code. `because`: why the engine ended it. */
export function endedSession(session: EndingSession, code: number, because: SessionEnd | undefined): Omit<EndedSession, 'at'> {
  const groups = new Map<Subscription, EndedJoin & { readonly joins: Pick<JoinView, 'item' | 'active' | 'from' | 'since'>[] }>();
  let kept = 0;
  const { number, knownSessionId: sessionId, identity } = session;
  for (const [, membership] of session.joins()) {
    if (kept++ === LIMITS.whyEndedJoins) break;
    const { subscription } = membership;
    const { stream, group } = subscription.fanout;
    let ended = groups.get(subscription);
    if (ended === undefined) {
      ended = { stream, group, ...cursorOf(subscription, []), joins: [] };
      groups.set(subscription, ended);
    }
    const { item, active, from, since } = membership;
    ended.joins.push({ item, active, from, since });
  }
  return {
    session: number,
    sessionId,
    identity,
    because: because ?? endOf(code),
    code,
    groups: [...groups.values()],
    more: kept > LIMITS.whyEndedJoins,
  };
}

function endOf(code: number): SessionEnd {
  if (code === CLOSE_CODES.done.code || code === CLOSE_CODES.readerGone.code || code === NO_CODE) return 'client_closed';
  return code === NO_FRAME ? 'connection_lost' : 'closed';
}

/** Codes of a close frame without a code, and of a connection that ended without such a frame. */
const NO_CODE = 1005;
const NO_FRAME = 1006;

function cursorOf(subscription: Subscription, joins: CursorView['joins']): CursorView {
  const { state, through, liveFrom, lagFrom, resyncedThrough, resyncs, subscriber } = subscription;
  return { state, through, liveFrom, lagFrom, resyncedThrough, resyncs, isReady: subscriber.ready, joins };
}

function* joinViews(joins: ReturnType<ViewedSession['joins']>): Generator<OwnJoin, void> {
  for (const [, membership] of joins) yield joinView(membership);
}

interface OwnJoin extends JoinView {
  readonly subscription: Subscription;
}

function joinView({ id, item, active, from, since, subscription }: Membership): OwnJoin {
  const { stream, group } = subscription.fanout;
  return { stream, group, subscriptionId: id, item, active, from, since, subscription };
}
