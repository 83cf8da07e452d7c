import { linkTo } from '../parts/address.js';
import { PagedTable } from '../parts/paged-table.js';
import { replaceQuery } from '../parts/route.js';
import { SearchBox } from '../parts/search-box.js';
import { usePages } from '../parts/use-pages.js';
import { NoNames } from './no-names.js';
import { decodeStream } from './streams-wire.js';

const EVERY_MS = 5_000;
const SOURCE = { path: ['streams'], row: decodeStream };

/** All streams that have a group with items. */
export function StreamList({ search }: { readonly search: string }) {
  const pages = usePages(SOURCE, search, EVERY_MS);
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
            <NoNames
              what="stream"
              search={search}
              hint="A stream appears here with its first item."
              linkOf={(name) => linkTo(['streams', name])}
            />
          }
        />
      </div>
    </>
  );
}
