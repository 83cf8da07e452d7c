import { useState } from 'react';
import { linkTo } from '../parts/address.js';
import { counted } from '../parts/figures.js';
import { PagedTable } from '../parts/paged-table.js';
import { replaceQuery, useRoute } from '../parts/route.js';
import { SearchBox } from '../parts/search-box.js';
import { usePages } from '../parts/use-pages.js';
import { itemColumns } from './item-columns.js';
import type { WatchState } from './live/group-watch.js';
import { LiveItems } from './live-items.js';
import { NoItems } from './no-items.js';
import { decodeItemRow, groupPath } from './streams-wire.js';
import { DeleteDialog } from './writes/delete-dialog.js';

interface ItemsPanelProps {
  readonly stream: string;
  readonly group: string;
  readonly live: WatchState | undefined;
  readonly search: string;
}

/** The items of a group: those of the live copy, or page by page from the engine. */
export function ItemsPanel({ stream, group, live, search }: ItemsPanelProps) {
  const [deleted, setDeleted] = useState<string>();
  const { parts, query } = useRoute();
  const columns = itemColumns((item) => linkTo(parts, { ...query, item }), setDeleted);
  const isLive = live !== undefined && live.status !== 'connecting';
  return (
    <div className="card">
      <div className="panel-head">
        <SearchBox label="Search items by id" value={search} onChange={(value) => replaceQuery({ ...query, search: value })} />
        {isLive && <span className="muted">{counted(live.items.length, 'item')}</span>}
      </div>
      {isLive ? (
        <LiveItems group={group} items={live.items} search={search} columns={columns} />
      ) : (
        <StoredItems stream={stream} group={group} search={search} columns={columns} />
      )}
      {deleted !== undefined && <DeleteDialog stream={stream} group={group} item={deleted} onClose={() => setDeleted(undefined)} />}
    </div>
  );
}

const EVERY_MS = 5_000;

function StoredItems({
  stream,
  group,
  search,
  columns,
}: Omit<ItemsPanelProps, 'live'> & { readonly columns: ReturnType<typeof itemColumns> }) {
  const pages = usePages({ path: groupPath(stream, group, 'items'), row: decodeItemRow }, search, EVERY_MS);
  return (
    <PagedTable label={`items of ${group}`} pages={pages} keyOf={({ id }) => id} columns={columns} empty={<NoItems search={search} />} />
  );
}
