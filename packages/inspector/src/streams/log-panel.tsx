import { preview } from '../json/preview.js';
import { bytes, time } from '../parts/figures.js';
import { Icon } from '../parts/icons.js';
import { PagedTable } from '../parts/paged-table.js';
import { EmptyState } from '../parts/states.js';
import { usePages } from '../parts/use-pages.js';
import { decodeLogRow, groupPath, type LogRow } from './streams-wire.js';

const PREVIEW_CHARS = 240;
const TONES: Readonly<Record<string, string>> = { create: 'good', update: 'info', delete: 'bad', event: 'event' };

/** The changes that the log of a group keeps, the newest first. Readers that were away for a short time get them from there. */
export function LogPanel({ stream, group }: { readonly stream: string; readonly group: string }) {
  const pages = usePages({ path: groupPath(stream, group, 'log'), row: decodeLogRow }, '');
  return (
    <div className="card">
      <div className="panel-head">
        <button type="button" className="button small" onClick={pages.refresh}>
          <Icon name="refresh" /> Refresh
        </button>
        <span className="muted">Changes that the engine keeps in memory for readers which come back. The newest is first.</span>
      </div>
      <PagedTable
        label={`log of ${group}`}
        pages={pages}
        keyOf={({ offset }) => String(offset)}
        columns={[
          { title: 'Offset', kind: 'number', isName: true, cell: ({ offset }) => offset },
          { title: 'Kind', cell: ({ kind = 'other' }) => <span className={`tag ${TONES[kind] ?? ''}`}>{kind}</span> },
          { title: 'Item', kind: 'code', cell: ({ item }) => item ?? <span className="muted">whole group</span> },
          { title: 'Data', kind: 'data', cell: (row) => <span className="one-line">{dataText(row)}</span> },
          { title: 'Size', kind: 'number', cell: (row) => bytes(row.bytes) },
          { title: 'Time', kind: 'number', cell: ({ at_ms }) => time(at_ms) },
        ]}
        empty={
          <EmptyState icon="streams" title="The log is empty">
            The engine keeps a log while clients watch the group, and for a minute afterwards.
          </EmptyState>
        }
      />
    </div>
  );
}

function dataText({ event_type, shown, data }: LogRow): string {
  const value = shown === undefined ? preview(data, PREVIEW_CHARS) : `${shown.slice(0, PREVIEW_CHARS)}…`;
  return event_type === undefined ? value : `${event_type} ${value}`;
}
