import { linkTo, type Route } from '../parts/address.js';
import { bytes, count, duration } from '../parts/figures.js';
import { type ListTab, ListTabs } from '../parts/list-tabs.js';
import { type Column, PagedTable } from '../parts/paged-table.js';
import { replaceQuery } from '../parts/route.js';
import { SearchBox } from '../parts/search-box.js';
import { EmptyState } from '../parts/states.js';
import { usePages } from '../parts/use-pages.js';
import type { Decoder } from '../wire/decoder.js';
import { ConnectionView } from './connection-view.js';
import { decodeRead, decodeSession, nameOf, type Read, type Session, transportText } from './connections-wire.js';
import { Lag } from './lag.js';

const EVERY_MS = 5_000;
/** The address of the list of reads. No session has this id. */
const READS = 'http-reads';

const TABS: readonly ListTab[] = [
  { title: 'Clients', parts: ['connections'] },
  { title: 'HTTP reads', parts: ['connections', READS] },
];

/** Everyone who reads at the stream port, or one client. */
export function ConnectionsPage({ parts, query }: Route) {
  const [id] = parts;
  const search = query['search'] ?? '';
  if (id === undefined) return <List {...CLIENTS} search={search} />;
  return id === READS ? <List {...HTTP_READS} search={search} /> : <ConnectionView id={id} />;
}

interface ListProps<T> {
  readonly title: string;
  readonly searchLabel: string;
  /** Name of the list in the API. */
  readonly name: string;
  readonly row: Decoder<T>;
  readonly keyOf: (row: T) => string;
  readonly columns: readonly Column<T>[];
  readonly none: string;
  readonly hint: string;
}

function List<T>({ title, searchLabel, name, row, keyOf, columns, none, hint, search }: ListProps<T> & { readonly search: string }) {
  const pages = usePages({ path: [name], row }, search, EVERY_MS);
  return (
    <>
      <div className="page-head">
        <h1>Connections</h1>
        <SearchBox label={searchLabel} value={search} onChange={(value) => replaceQuery({ search: value })} />
      </div>
      <ListTabs tabs={TABS} current={title} />
      <div className="card">
        <PagedTable
          label={title}
          pages={pages}
          keyOf={keyOf}
          columns={columns}
          empty={
            <EmptyState icon="connections" title={search === '' ? none : 'No match'}>
              {search === '' ? hint : undefined}
            </EmptyState>
          }
        />
      </div>
    </>
  );
}

const CLIENTS: ListProps<Session> = {
  title: 'Clients',
  searchLabel: 'Search clients',
  name: 'sessions',
  row: decodeSession,
  keyOf: ({ session_id }) => session_id,
  none: 'No client is connected',
  hint: 'WebSocket clients and event streams of the stream port appear here.',
  columns: [
    {
      title: 'Client',
      isName: true,
      cell: (session) => (
        <span className="cell-main">
          <a href={linkTo(['connections', session.session_id])}>{nameOf(session)}</a>
          <code className="cell-sub">{session.session_id}</code>
        </span>
      ),
    },
    { title: 'Over', cell: (session) => <span className="nowrap">{transportText(session)}</span> },
    { title: 'Address', cell: ({ address }) => <code className="nowrap">{address}</code> },
    { title: 'Connected', kind: 'number', cell: ({ connected_at_ms: at }) => ageOf(at) },
    { title: 'Joins', kind: 'number', cell: ({ subscriptions }) => count(subscriptions) },
    { title: 'Lag', kind: 'number', cell: ({ lag }) => <Lag changes={lag} /> },
    { title: 'Unsent', kind: 'number', cell: ({ unsent_bytes }) => bytes(unsent_bytes) },
  ],
};

const HTTP_READS: ListProps<Read> = {
  title: 'HTTP reads',
  searchLabel: 'Search HTTP reads',
  name: 'reads',
  row: decodeRead,
  keyOf: ({ address, stream, group, item, began_at_ms }) => JSON.stringify([address, stream, group, item, began_at_ms]),
  none: 'No read is open',
  hint: 'Long polls of plain HTTP appear here while they wait for a change. Event streams are among the clients.',
  columns: [
    { title: 'Reader', isName: true, cell: (read) => <span className="cell-main">{nameOf(read)}</span> },
    {
      title: 'Group',
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
    { title: 'Address', cell: ({ address }) => <code className="nowrap">{address}</code> },
    { title: 'Open', kind: 'number', cell: ({ began_at_ms: at }) => ageOf(at) },
    { title: 'State', cell: ({ waits }) => <span className="nowrap">{waits ? 'waits for a change' : 'reads'}</span> },
    { title: 'Offset', kind: 'number', cell: ({ offset }) => (offset === undefined ? '–' : count(offset)) },
    { title: 'Lag', kind: 'number', cell: ({ lag }) => <Lag changes={lag} /> },
    { title: 'Unsent', kind: 'number', cell: ({ unsent_bytes }) => bytes(unsent_bytes) },
  ],
};

function ageOf(at: number): string {
  return duration(Math.max(0, Date.now() - at));
}
