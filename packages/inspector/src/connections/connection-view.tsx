import { useState } from 'react';
import { WriteButton } from '../forms/write-button.js';
import { linkTo } from '../parts/address.js';
import { Breadcrumbs } from '../parts/breadcrumbs.js';
import { bytes, count, time } from '../parts/figures.js';
import { type Column, PagedTable } from '../parts/paged-table.js';
import { EmptyState, Failure, Loading } from '../parts/states.js';
import { usePages } from '../parts/use-pages.js';
import { usePoll } from '../parts/use-poll.js';
import { decodeJoin, decodeOneSession, type Join, nameOf, type Session, transportText } from './connections-wire.js';
import { DisconnectDialog } from './disconnect-dialog.js';
import { Lag } from './lag.js';

const EVERY_MS = 2_000;

/** One client: its figures, its joins, and the button that ends its connection. */
export function ConnectionView({ id }: { readonly id: string }) {
  const polled = usePoll(id, { path: ['sessions', id], query: { limit: 1 }, decoder: decodeOneSession }, EVERY_MS);
  const { failure, refresh } = polled;
  const value = polled.value?.session;
  const isGone = failure?.kind === 'refused' && failure.status === 404;
  return (
    <>
      <Breadcrumbs parts={['connections', id]} titles={['Connections', id]} />
      <div className="page-head">
        <h1>{value === undefined ? 'Connection' : nameOf(value)}</h1>
        {value !== undefined && <State session={value} isGone={isGone} />}
        {value !== undefined && !isGone && <Disconnect session={value} onDone={refresh} />}
      </div>
      {failure !== undefined && !isGone && <Failure failure={failure} onRetry={refresh} />}
      {value === undefined && (isGone ? <Gone id={id} /> : failure === undefined && <Loading what="the connection" />)}
      {value !== undefined && (
        <div className="stack">
          <Facts session={value} />
          {!isGone && <Joins session={value} />}
        </div>
      )}
    </>
  );
}

function State({ session: { lag }, isGone }: { readonly session: Session; readonly isGone: boolean }) {
  const [tone, text] = isGone ? ['bad', 'Ended'] : lag > 0 ? ['warn', `${count(lag)} behind`] : ['good', 'Up to date'];
  return (
    <span className={`pill ${tone}`} role="status">
      {text}
    </span>
  );
}

function Gone({ id }: { readonly id: string }) {
  return (
    <div className="card">
      <EmptyState icon="connections" title="This client is not connected">
        Its connection has ended, or another process of the engine has it. <a href={linkTo(['why'], { session: id })}>Ask why</a> it did not
        get a change.
      </EmptyState>
    </div>
  );
}

function Facts({ session }: { readonly session: Session }) {
  const { session_id, identity, address, peer, connected_at_ms, expires_at_ms, subscriptions, positions, unsent_bytes } = session;
  const facts: readonly (readonly [string, string])[] = [
    ['Session', session_id],
    ['Identity', identity ?? 'none'],
    ['Over', transportText(session)],
    ['Address', peer === address ? address : `${address}, through ${peer}`],
    ['Connected', `since ${time(connected_at_ms)}`],
    ['Access ends', expires_at_ms === undefined ? 'never' : time(expires_at_ms)],
    ['Joins', count(subscriptions)],
    ['Position-aware', positions ? 'yes' : 'no'],
    ['Bytes waiting', bytes(unsent_bytes)],
  ];
  return (
    <dl className="card details">
      {facts.map(([title, text]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

const STATES: Readonly<Record<Join['state'], { readonly tone: string; readonly text: string }>> = {
  joining: { tone: '', text: 'Joining' },
  live: { tone: 'good', text: 'Live' },
  catching_up: { tone: 'warn', text: 'Catching up' },
  stale: { tone: 'bad', text: 'Group unavailable' },
};

function Joins({ session: { session_id } }: { readonly session: Session }) {
  const pages = usePages({ path: ['sessions', session_id], row: decodeJoin }, '', EVERY_MS);
  const whyLink = ({ stream, group, item }: Join) => linkTo(['why'], { session: session_id, stream, group, item });
  const columns: readonly Column<Join>[] = [
    {
      title: 'Group',
      isName: true,
      kind: 'code',
      cell: ({ stream, group, item }) => (
        <span className="cell-main">
          <a href={linkTo(['streams', stream, group])}>
            {stream}/{group}
          </a>
          {item !== undefined && <span className="cell-sub">only item {item}</span>}
        </span>
      ),
    },
    { title: 'State', cell: ({ state }) => <span className={`pill nowrap ${STATES[state].tone}`}>{STATES[state].text}</span> },
    { title: 'Offset', kind: 'number', cell: ({ offset }) => (offset === undefined ? '–' : count(offset)) },
    { title: 'Lag', kind: 'number', cell: ({ lag }) => <Lag changes={lag} /> },
    {
      title: 'Question',
      kind: 'actions',
      cell: (join) => (
        <a className="button small" href={whyLink(join)} aria-label={`Why did it not get a change of ${join.stream}/${join.group}?`}>
          Why?
        </a>
      ),
    },
  ];
  return (
    <section className="card" aria-labelledby="joins">
      <h2 id="joins" className="card-title">
        Joins
      </h2>
      <PagedTable
        label="joins"
        pages={pages}
        keyOf={({ subscription_id }) => subscription_id}
        columns={columns}
        empty={<EmptyState icon="streams" title="This client has joined no group" />}
      />
    </section>
  );
}

function Disconnect({ session, onDone }: { readonly session: Session; readonly onDone: () => void }) {
  const [isOpen, setOpen] = useState(false);
  const close = (isDone: boolean) => {
    setOpen(false);
    if (isDone) onDone();
  };
  return (
    <span className="push">
      <WriteButton className="danger" onClick={() => setOpen(true)}>
        Disconnect…
      </WriteButton>
      {isOpen && <DisconnectDialog session={session} onClose={close} />}
    </span>
  );
}
