import { PagedTable } from '../parts/paged-table.js';
import { linkTo, type Route, replaceQuery } from '../parts/route.js';
import { SearchBox } from '../parts/search-box.js';
import { EmptyState } from '../parts/states.js';
import { usePages } from '../parts/use-pages.js';
import { object, text } from '../wire/decoder.js';

const decodeStream = object({ stream: text });

/** All streams that have a group with items. */
export function StreamsPage({ query }: Route) {
  const search = query['search'] ?? '';
  const pages = usePages({ path: ['streams'], row: decodeStream }, search);
  return (
    <>
      <div className="page-head">
        <h1>Streams</h1>
        <SearchBox label="Search streams" value={search} onChange={(value) => replaceQuery({ search: value })} />
      </div>
      <div className="card">
        <PagedTable
          label="streams"
          pages={pages}
          keyOf={({ stream }) => stream}
          columns={[
            { title: 'Stream', isName: true, kind: 'code', cell: ({ stream }) => <a href={linkTo(['streams', stream])}>{stream}</a> },
          ]}
          empty={
            <EmptyState icon="streams" title={search === '' ? 'No streams yet' : 'No stream matches'}>
              {search === '' ? 'A stream appears here with its first item.' : undefined}
            </EmptyState>
          }
        />
      </div>
    </>
  );
}
