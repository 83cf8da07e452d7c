import { bytes, count, counted, duration, time } from '../parts/figures.js';
import type { Details } from './why-wire.js';

/** A cause in words for people. */
export interface Explanation {
  /** `good`: the engine handed it over. `warn`: it will. `bad`: it did not. `info`: there is no one answer. */
  readonly tone: 'good' | 'warn' | 'bad' | 'info';
  /** The answer in a few words. @default the words of the tone */
  readonly verdict?: string;
  readonly title: string;
  readonly text: (details: Details) => string;
  /** The next step for the reader. */
  readonly advice?: (details: Details) => string;
}

const unknownName = (details: Details, name: string) => details.text(name) ?? 'not known';
const quoted = (names: readonly string[]) => names.map((name) => `“${name}”`).join(', ');
const offsetText = (value: number | undefined) => (value === undefined || value < 0 ? 'none yet' : count(value));

const WAITS: Readonly<Record<string, string>> = {
  reader: 'Its socket takes no more bytes: the client, or the network to it, is slow.',
  engine: 'The engine is about to send it.',
  join: 'Its join has no answer yet.',
};

const HANDED: Readonly<Record<string, string>> = { flush: ', with the flush of its group', catch_up: ', while the client caught up' };

export const REFUSERS: Readonly<Record<string, string>> = {
  token_grants: 'the grants of its token',
  function: 'a function of the trigger stream:join',
  bound: 'a bound of the engine',
  origin: 'the list of allowed origins',
  token: 'the check of its token',
  auth_function: 'the auth function',
  stream_join: 'a function of the trigger stream:join, or the grants of its token',
  operator: 'an operator',
  engine: 'the engine',
};

export const ENDS: Readonly<Record<string, string>> = {
  token_expired: 'its token expired',
  revoked: 'an operator or a worker ended it',
  token_refused: 'the engine refused its new token',
  overload: 'it sent more, or took less, than the bounds allow',
  store_unavailable: 'the store of the group was unavailable for too long',
  engine_stopped: 'the engine stopped',
  engine_failed: 'the engine failed',
  client_closed: 'the client closed it',
  connection_lost: 'the network connection broke',
  closed: 'it was closed',
};

export const MISSING: Readonly<Record<string, string>> = {
  session: 'what became of this session',
  joins: 'whether this session had joined the group',
  refused_joins: 'which joins were refused',
  refused_writes: 'whether a later write was refused',
  cause_of_delete: 'why the item was deleted',
  item_of_offset: 'which item the change of this offset had',
  history_of_item: 'the history of this item',
  delivery: 'how the change was delivered',
};

const refusal = (details: Details) => `${details.text('reason') ?? 'No reason is known.'} (${details.text('code') ?? 'no code'})`;
const deletion = (by: string) => (details: Details) =>
  `${by} deleted the item ${quoted([details.text('item') ?? ''])}. The newest change of the item is this delete. Below stands whether the client has got it.`;

const DELETED = { tone: 'bad', verdict: 'The item was deleted' } as const;

/** The explanations of the causes in docs/why.md. A test compares both lists. */
export const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  delivered: {
    tone: 'good',
    title: 'Delivered',
    text: (details) => `The engine handed the change to the socket of the client${HANDED[details.text('by') ?? ''] ?? ''}.`,
    advice: () => 'The network may still lose it. If the connection holds and the page does not show it, look at the code of the page.',
  },
  in_sync: {
    tone: 'good',
    title: 'In the answer of the join',
    text: (details) =>
      `The client joined at offset ${offsetText(details.number('joined_at_offset'))}. The state that it got then includes this change.`,
    advice: () => 'A state has items and no events. An event of that time does not reach this client any more.',
  },
  had_already: {
    tone: 'good',
    title: 'The client had it already',
    text: (details) => `The client went on from offset ${offsetText(details.number('joined_at_offset'))}, which is not before this change.`,
  },
  resynced: {
    tone: 'good',
    title: 'Covered by a resync',
    text: (details) =>
      `The client was too far behind for single changes (${unknownName(details, 'reason')}). It got ${
        details.text('mode') === 'sync' ? 'the whole state' : 'each changed item once'
      }, up to offset ${offsetText(details.number('to'))}.`,
    advice: () => 'It has the newest value of each item, and it has not seen each change by itself.',
  },
  behind: {
    tone: 'warn',
    title: 'The client is behind',
    text: (details) =>
      `It lacks ${counted(details.number('behind') ?? 0, 'change')}: it has offset ${offsetText(details.number('through'))} of ${offsetText(
        details.number('head'),
      )}. ${WAITS[details.text('waits_for') ?? ''] ?? ''} ${bytes(details.number('unsent_bytes') ?? 0)} wait to be sent.`,
    advice: () => 'The engine sends it when the client reads on. No other client waits for this one.',
  },
  filtered: {
    tone: 'bad',
    title: 'The client watches other items',
    text: (details) => `Its joins of this group want only ${quoted(details.texts('items'))}${details.isTrue('more') ? ' and more' : ''}.`,
    advice: () => 'Join the group without an item id, or join this item too.',
  },
  not_joined: {
    tone: 'bad',
    title: 'The client has not joined this group',
    text: (details) => {
      const joins = details.joins('joins');
      return joins.length === 0
        ? 'The client has joined no group at all.'
        : `The client has joined ${quoted(joins)}${details.isTrue('more') ? ' and more' : ''}.`;
    },
    advice: (details) => {
      const near = details.texts('near');
      return near.length === 0 ? 'Compare the names in the code of the page and of the worker.' : `Did you mean ${quoted(near)}?`;
    },
  },
  join_waiting: {
    tone: 'warn',
    title: 'The join waits for an answer',
    text: () => 'A function of the trigger stream:join has not answered yet.',
    advice: () => 'Look at the worker that serves this function.',
  },
  join_refused: {
    tone: 'bad',
    title: 'The join was refused',
    text: (details) =>
      `Refused by ${REFUSERS[details.text('by') ?? ''] ?? 'the engine'}${
        details.text('function') === undefined ? '' : `, ${details.text('function')}`
      }: ${unknownName(details, 'reason')}.`,
  },
  upgrade_refused: {
    tone: 'bad',
    title: 'The connection was refused',
    text: (details) =>
      `The engine refused the connection from ${unknownName(details, 'address')}. It was refused by ${
        REFUSERS[details.text('by') ?? ''] ?? 'the engine'
      }: ${unknownName(details, 'reason')}.`,
  },
  session_ended: {
    tone: 'bad',
    title: 'The session had ended',
    text: (details) => {
      const through = details.number('through');
      const last =
        through === undefined
          ? details.isFalse('joined')
            ? ' It had not joined this group at its end.'
            : ''
          : ` The engine had handed over the changes up to offset ${offsetText(through)}.`;
      return `The session ended because ${ENDS[details.text('because') ?? ''] ?? unknownName(details, 'because')} (close code ${
        details.number('code') ?? 'not known'
      }).${last}`;
    },
    advice: () => 'A client that connects again and knows its position gets what it missed.',
  },
  unknown_session: {
    tone: 'bad',
    title: 'No such session',
    text: (details) =>
      `The engine has had no session with this id or identity since ${time(
        details.number('known_since_ms') ?? 0,
      )}, and refused no client of this identity or address.`,
    advice: () => 'Look for it on the page Connections. An address leads to refused clients only, and reads by plain HTTP are no sessions.',
  },
  several_sessions: {
    tone: 'info',
    title: 'Several sessions',
    text: (details) =>
      `${quoted([details.text('identity') ?? ''])} has ${counted(details.answers('answers').length, 'session')}${
        details.isTrue('more') ? ' and more' : ''
      }. Each has an answer of its own.`,
  },
  deleted_by_call: { ...DELETED, title: 'Deleted by a call', text: deletion('A call') },
  deleted_by_ttl: { ...DELETED, title: 'Deleted at the end of its time', text: deletion('The end of its ttl') },
  deleted_by_lease: { ...DELETED, title: 'Deleted with its lease', text: deletion('The end of the lease of its client') },
  deleted_by_bound: { ...DELETED, title: 'Deleted by a bound of the group', text: deletion('A bound of the group') },
  refused_by_condition: {
    tone: 'bad',
    title: 'The write was refused by its condition',
    text: (details) => `A condition of the write did not hold, so nothing was stored: ${refusal(details)}.`,
    advice: () => 'Read the item, and write again with its version.',
  },
  refused_with_batch: {
    tone: 'bad',
    title: 'The whole batch was refused',
    text: (details) =>
      `The change was part of a batch, and a batch takes effect as a whole or not at all. ${
        details.text('failed_item') === undefined ? 'It failed' : `The item ${quoted([details.text('failed_item') ?? ''])} failed`
      }: ${refusal(details)}.`,
  },
  refused_by_limit: { tone: 'bad', title: 'The write hit a limit', text: (details) => `Nothing was stored: ${refusal(details)}.` },
  write_failed: { tone: 'bad', title: 'The write failed', text: (details) => `Nothing was stored: ${refusal(details)}.` },
  never_written: {
    tone: 'bad',
    title: 'Never written',
    text: (details) => {
      const other = details.text('item_of_offset');
      const head = details.number('head');
      if (other !== undefined) return `The change at this offset is one of the item ${quoted([other])}.`;
      return `The engine has no such change.${head === undefined ? '' : ` The newest offset of the group is ${offsetText(head)}.`}`;
    },
    advice: () => 'Look at the worker: its call may have failed, or used another name.',
  },
  store_unavailable: {
    tone: 'bad',
    title: 'The store is unavailable',
    text: (details) =>
      `The engine has not reached the store of this group for ${duration(details.number('for_ms') ?? 0)}, so it gets no changes.`,
    advice: () => 'The clients get what they missed when the store is back. Look at the overview.',
  },
  not_known_any_more: {
    tone: 'info',
    title: 'Not known any more',
    text: (details) => {
      const since = details.number('known_since_ms');
      const missing = MISSING[details.text('missing') ?? ''] ?? 'a fact that the answer needs';
      if (details.isTrue('of_another_run')) return 'This session belongs to an earlier run of the engine, or to another engine.';
      return `The engine does not know any more ${missing}.${since === undefined ? '' : ` It remembers the time since ${time(since)}.`}`;
    },
    advice: () => 'The engine keeps such facts for 15 minutes, and at most 10,000 of each kind. Ask sooner after the change.',
  },
};

/** Returns the explanation of a cause. A cause of a newer engine has its name only. */
export function explanationOf(cause: string): Explanation {
  const known = Object.hasOwn(EXPLANATIONS, cause) ? EXPLANATIONS[cause] : undefined;
  return (
    known ?? {
      tone: 'info',
      title: cause.replaceAll('_', ' '),
      text: () => 'This page is older than the engine. The documents explain the cause.',
    }
  );
}
