import type { ReactNode } from 'react';
import { Icon } from './icons.js';
import { Failure, Loading } from './states.js';
import type { Pages } from './use-pages.js';

export interface Column<T> {
  /** The title, which a phone shows beside each value. */
  readonly title: string;
  readonly cell: (row: T) => ReactNode;
  /** Numbers stand at the right edge. `data` takes the room that the others leave, in one line. @default 'text' */
  readonly kind?: 'text' | 'number' | 'code' | 'data' | 'actions';
  /** Whether the cell names its row. One column does. @default false */
  readonly isName?: boolean;
}

export interface TableProps<T> {
  /** Names the table for a screen reader. */
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly keyOf: (row: T) => string;
}

/** The rows of a list, one page at a time, with buttons for the pages. */
export function PagedTable<T>({ pages, empty, ...table }: TableProps<T> & { readonly pages: Pages<T>; readonly empty: ReactNode }) {
  const { rows, failure, isLoading, number, hasNext } = pages;
  if (rows === undefined)
    return failure === undefined ? <Loading what={table.label} /> : <Failure failure={failure} onRetry={pages.refresh} />;
  return (
    <>
      {failure !== undefined && <Failure failure={failure} onRetry={pages.refresh} />}
      {rows.length > 0 && <Table {...table} rows={rows} isBusy={isLoading} />}
      {rows.length === 0 &&
        (hasNext ? (
          <p className="muted pad">No match among the entries so far.</p>
        ) : number === 1 ? (
          empty
        ) : (
          <p className="muted pad">No more rows.</p>
        ))}
      {(hasNext || number > 1) && (
        <nav className="pager" aria-label={`Pages of ${table.label}`}>
          <button type="button" className="button" onClick={pages.previous} disabled={number === 1}>
            <Icon name="previous" /> Previous
          </button>
          <span aria-live="polite">Page {number}</span>
          <button type="button" className="button" onClick={pages.next} disabled={!hasNext}>
            {rows.length === 0 ? 'Search on' : 'Next'} <Icon name="next" />
          </button>
        </nav>
      )}
    </>
  );
}

/**
 * A table of rows that are all on the page. The roles are explicit, because the style sheet shows each row as a block on a phone, and
 * browsers drop the roles of such tables.
 */
function Table<T>({
  label,
  columns,
  keyOf,
  rows,
  isBusy = false,
}: TableProps<T> & { readonly rows: readonly T[]; readonly isBusy?: boolean }) {
  return (
    <table className="table" role="table" aria-label={label} aria-busy={isBusy}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ title, kind = 'text' }) => (
            <th key={title} role="columnheader" scope="col" className={kind}>
              {kind === 'actions' ? <span className="unseen">{title}</span> : title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={keyOf(row)} role="row">
            {columns.map(({ title, cell, kind = 'text', isName }) =>
              isName === true ? (
                <th key={title} role="rowheader" scope="row" className={kind} data-title={title}>
                  {cell(row)}
                </th>
              ) : (
                <td key={title} role="cell" className={kind} data-title={title}>
                  {cell(row)}
                </td>
              ),
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
