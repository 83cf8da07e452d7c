import { WriteButton } from '../forms/write-button.js';
import { listText } from '../json/list-text.js';
import { Icon } from '../parts/icons.js';
import type { Column } from '../parts/paged-table.js';
import type { ItemRow } from './streams-wire.js';

/** The columns of a table of items. The id leads to the item. */
export function itemColumns(linkOf: (item: string) => string, onDelete: (item: string) => void): readonly Column<ItemRow>[] {
  return [
    { title: 'Item', isName: true, kind: 'code', cell: ({ id }) => <a href={linkOf(id)}>{id}</a> },
    { title: 'Data', kind: 'data', cell: ({ data, chars }) => <span className="one-line">{listText(data, chars)}</span> },
    {
      title: 'Actions',
      kind: 'actions',
      cell: ({ id }) => (
        <WriteButton className="small quiet icon-only" label={`Delete ${id}`} onClick={() => onDelete(id)}>
          <Icon name="delete" />
        </WriteButton>
      ),
    },
  ];
}
