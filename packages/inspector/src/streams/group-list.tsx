import { linkTo } from '../parts/address.js';
import { Breadcrumbs } from '../parts/breadcrumbs.js';
import { bytes, count } from '../parts/figures.js';
import { PagedTable } from '../parts/paged-table.js';
import { replaceQuery } from '../parts/route.js';
import { SearchBox } from '../parts/search-box.js';
import { usePages } from '../parts/use-pages.js';
import { NoNames } from './no-names.js';
import { decodeGroupRow } from './streams-wire.js';

const EVERY_MS = 5_000;

/** The groups of a stream that have items. */
export function GroupList({ stream, search }: { readonly stream: string; readonly search: string }) {
  const pages = usePages({ path: ['streams', stream, 'groups'], row: decodeGroupRow }, search, EVERY_MS);
  const linkOf = (group: string) => linkTo(['streams', stream, group]);
  return (
    <>
      <Breadcrumbs parts={['streams', stream]} titles={['Streams', stream]} />
      <div className="page-head">
        <h1>{stream}</h1>
        <SearchBox label="Search groups" value={search} onChange={(value) => replaceQuery({ search: value })} />
      </div>
      <div className="card">
        <PagedTable
          label={`groups of ${stream}`}
          pages={pages}
          keyOf={({ group }) => group}
          columns={[
            { title: 'Group', isName: true, kind: 'code', cell: ({ group }) => <a href={linkOf(group)}>{group}</a> },
            { title: 'Watched by', kind: 'number', cell: ({ subscriptions }) => count(subscriptions) },
            { title: 'Changes in log', kind: 'number', cell: ({ log_changes }) => count(log_changes) },
            { title: 'Log', kind: 'number', cell: ({ log_bytes }) => bytes(log_bytes) },
          ]}
          empty={<NoNames what="group" search={search} hint="A group appears here with its first item." linkOf={linkOf} />}
        />
      </div>
    </>
  );
}
