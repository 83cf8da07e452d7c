import type { DetailOf, MissingFact, WhyAnswer } from './causes.js';
import type { SessionEnd } from './why-records.js';

/** Sentences about the ends of sessions. docs/why.md has them too. */
export const ENDS: Readonly<Record<SessionEnd, string>> = {
  token_expired: 'its token expired, and the client sent no fresh one',
  revoked: 'an operator disconnected it',
  token_refused: 'the client sent a token of another user',
  overload: 'the client did not read what the engine had to send',
  store_unavailable: 'the store was unavailable for too long, so the engine sent the client away',
  engine_stopped: 'the engine stopped',
  engine_failed: 'the engine failed to handle the connection; its log says more',
  client_closed: 'the client closed the connection',
  connection_lost: 'the connection was lost',
  closed: 'the connection was closed with the code that the answer names',
};

export const MISSING: Readonly<Record<MissingFact, string>> = {
  session: 'what became of this session',
  joins: 'whether this session had joined the group',
  refused_joins: 'which joins of this session were refused',
  refused_writes: 'whether a later write of the item was refused',
  cause_of_delete: 'why the item was deleted',
  item_of_offset: 'which item changed at this offset',
  history_of_item: 'whether the item was ever written',
  delivery: 'how the change reached the client, because the client was behind since then',
};

/** Returns the answer as sentences for people. */
export function textOf(answer: WhyAnswer): string {
  const { cause, detail, offset } = answer;
  const change = offset === undefined ? 'The change' : `The change at offset ${offset}`;
  switch (cause) {
    case 'delivered':
      return `${change} was handed to the socket of the client${detail.by === undefined ? '' : HANDED[detail.by]}.`;
    case 'in_sync':
      return `${change} was made before the join. The client got the state of offset ${detail.joined_at_offset} as a sync. A sync has no events.`;
    case 'had_already':
      return `${change} was not sent, because the client joined with the position ${detail.joined_at_offset}. So it had the change already.`;
    case 'resynced':
      return `${change} came in no frame of its own. The client was behind (${detail.reason}). It got ${
        detail.mode === 'sync' ? 'a sync' : 'the newest value of each changed item'
      } in place of the changes from ${detail.from + 1} to ${detail.to}.`;
    case 'behind':
      return `${change} was not handed over yet. The client is ${detail.behind} changes behind. ${WAITS[detail.waits_for]}`;
    case 'filtered':
      return `The session watches other items of this group: ${detail.items.join(', ') || 'none'}${detail.more ? ' and more' : ''}.`;
    case 'not_joined':
      return `The session has not joined ${detail.stream}/${detail.group}. ${joinsText(detail)}`;
    case 'join_waiting':
      return 'The join waits for the functions that decide about it.';
    case 'join_refused':
      return `The join was refused by ${REFUSERS[detail.by]}${detail.function === undefined ? '' : ` ${detail.function}`} (${detail.reason}).`;
    case 'upgrade_refused':
      return `The connection was refused by ${REFUSERS[detail.by]} (${detail.reason}).`;
    case 'session_ended':
      return `The session had ended: ${ENDS[detail.because]}.${detail.joined === false ? ' It had not joined the group at its end.' : ''}`;
    case 'unknown_session':
      return `This engine has had no session, identity or refused address of this name since ${timeOf(detail.known_since_ms)}. Reads by plain HTTP are no sessions.`;
    case 'several_sessions':
      return detail.answers.map((each) => `${each.detail.session_id ?? ''}: ${textOf(each)}`).join('\n');
    case 'deleted_by_call':
      return `A call deleted the item. ${aboutDelete(detail)}`;
    case 'deleted_by_ttl':
      return `The store deleted the item, because its time to live was over. ${aboutDelete(detail)}`;
    case 'deleted_by_lease':
      return `The engine deleted the item, because the lease of its client had ended. ${aboutDelete(detail)}`;
    case 'deleted_by_bound':
      return `The store deleted the item, because of a bound of its group. ${aboutDelete(detail)}`;
    case 'refused_by_condition':
      return 'The newest write was refused, because its condition did not hold. Nothing was written.';
    case 'refused_with_batch': {
      const item = detail.failed_item === undefined ? '' : ` at the item ${detail.failed_item}`;
      return `The newest write was refused with its batch${item} (${detail.code}: ${detail.reason}). Nothing of the batch was written.`;
    }
    case 'refused_by_limit':
      return `The newest write was refused by a limit (${detail.code}: ${detail.reason}). Nothing was written.`;
    case 'write_failed':
      return `The newest write failed (${detail.code}: ${detail.reason}).`;
    case 'never_written':
      return neverText(detail);
    case 'store_unavailable':
      return unavailableText(detail);
    case 'not_known_any_more':
      return lostText(detail);
    default:
      return answer satisfies never;
  }
}

const HANDED = { flush: ' with the flush of its group', catch_up: ' while it caught up' } as const;

const WAITS: Readonly<Record<DetailOf<'behind'>['waits_for'], string>> = {
  reader: 'Its socket takes nothing more, because the client does not read.',
  engine: 'The engine is about to send the change.',
  join: 'Its join has no answer yet.',
};

const REFUSERS = {
  token_grants: 'the grants of the token',
  function: 'a function of stream:join',
  bound: 'a bound of the engine',
  origin: 'the list of allowed origins',
  token: 'the check of the token',
  auth_function: 'the auth function',
  stream_join: 'a function of stream:join or the grants of the token',
  operator: 'an operator',
  engine: 'the engine',
} as const;

function joinsText({ joins, more, near }: DetailOf<'not_joined'>): string {
  const similar = near.length === 0 ? '' : `Similar names: ${near.join(', ')}. `;
  if (joins.length === 0) return `${similar}It has no joins.`;
  const names = joins.map(({ stream, group, item }) => `${stream}/${group}${item === undefined ? '' : `/${item}`}`);
  return `${similar}It has joined: ${names.join(', ')}${more ? ' and more' : ''}.`;
}

function aboutDelete(detail: { readonly delete: WhyAnswer }): string {
  return `About the delete: ${textOf(detail.delete)}`;
}

function unavailableText({ for_ms: ms }: DetailOf<'store_unavailable'>): string {
  if (ms === 0) return 'The engine could not read its store. Its log says more.';
  return `The engine has been cut off from its store, such as Redis, for ${ms} ms. Changes of other engines do not arrive now.`;
}

function neverText({ item, item_of_offset: other, head }: DetailOf<'never_written'>): string {
  if (other !== undefined) return `The change at this offset is one of the item ${other}.`;
  const newest = head === undefined ? '' : ` The newest offset of the group is ${head}.`;
  return `${item === undefined ? 'The group' : 'The item'} has no such change: nobody has written it.${newest}`;
}

function lostText({ missing, known_since_ms: since, of_another_run: isOther, otherwise }: DetailOf<'not_known_any_more'>): string {
  const from = since === undefined ? '' : ` It remembers this since ${timeOf(since)}.`;
  const run = isOther === true ? ' The id was made by an earlier run of the engine, or by another engine.' : '';
  const rest = otherwise === undefined ? '' : ` Otherwise: ${textOf(otherwise)}`;
  return `Not known any more: the engine does not remember ${MISSING[missing]}.${from}${run}${rest}`;
}

function timeOf(ms: number): string {
  const time = new Date(ms);
  // oxlint-disable-next-line eslint/no-restricted-properties -- the time was checked
  return Number.isNaN(time.getTime()) ? String(ms) : time.toISOString();
}
