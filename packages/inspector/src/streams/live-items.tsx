import type { Item } from '@rivulet/client';
import { useState } from 'react';
import { type Column, PagedTable } from '../parts/paged-table.js';
import { PAGE_ROWS, type Pages } from '../parts/use-pages.js';
import { NoItems } from './no-items.js';
import type { ItemRow } from './streams-wire.js';

interface LiveItemsProps {
  readonly group: string;
  readonly items: readonly Item<unknown>[];
  readonly search: string;
  readonly columns: readonly Column<ItemRow>[];
}

/** The items of a live copy, one page at a time. Only the rows of the page are elements. */
export function LiveItems({ group, items, search, columns }: LiveItemsProps) {
  const [place, setPlace] = useState({ search, page: 0 });
  const wanted = search.toLowerCase();
  const found = wanted === '' ? items : items.filter(({ id }) => id.toLowerCase().includes(wanted));
  const last = Math.max(0, Math.ceil(found.length / PAGE_ROWS) - 1);
  const page = place.search === search ? Math.min(place.page, last) : 0;
  const turn = (to: number) => setPlace({ search, page: to });
  const pages: Pages<ItemRow> = {
    rows: found.slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS).map(({ id, data }) => ({ id, data, chars: undefined })),
    failure: undefined,
    isLoading: false,
    number: page + 1,
    hasNext: page < last,
    next: () => turn(page + 1),
    previous: () => turn(page - 1),
    refresh: () => {},
  };
  return (
    <PagedTable label={`items of ${group}`} pages={pages} keyOf={({ id }) => id} columns={columns} empty={<NoItems search={search} />} />
  );
}
