import { parseJson } from '@rivulet/protocol';
import { useEffect, useState } from 'react';
import { Dialog } from '../forms/dialog.js';
import { WriteButton } from '../forms/write-button.js';
import { JsonView } from '../json/json-view.js';
import { valueText } from '../json/value-text.js';
import { count } from '../parts/figures.js';
import { Failure, Loading, Notice } from '../parts/states.js';
import { api } from '../wire/admin.js';
import type { ApiResult } from '../wire/api.js';
import type { WatchState } from './live/group-watch.js';
import { groupPath } from './streams-wire.js';
import { DeleteDialog } from './writes/delete-dialog.js';
import { SetDialog } from './writes/set-dialog.js';

interface ItemDialogProps {
  readonly stream: string;
  readonly group: string;
  readonly item: string;
  readonly live: WatchState | undefined;
  readonly onClose: () => void;
}

/** One item: its value, and the ways to change or delete it. A watched item shows each change. */
export function ItemDialog({ stream, group, item, live, onClose }: ItemDialogProps) {
  const place = { stream, group, item };
  const watched = live?.items.find(({ id }) => id === item);
  const [stored, setStored] = useState<ApiResult<string>>();
  const [step, setStep] = useState<'view' | 'edit' | 'delete'>('view');
  const offset = watched?.offset;
  useEffect(
    // The answer has the text of the item as it was written, such as 1.0, which the live copy has not. So each change is a reason to ask.
    () => api.requestText({ path: groupPath(stream, group, 'items', item) }, setStored),
    [stream, group, item, offset],
  );
  const text = stored?.kind === 'ok' ? valueText(stored.value, 'data') : undefined;

  const exists = stored?.kind === 'ok';

  if (step === 'edit') return <SetDialog {...place} before={text} offset={offset} onClose={() => setStep('view')} />;
  if (step === 'delete') return <DeleteDialog {...place} onClose={() => setStep('view')} />;
  return (
    <Dialog
      title={item}
      isWide
      onClose={onClose}
      actions={
        <>
          {exists && (
            <WriteButton className="danger" onClick={() => setStep('delete')}>
              Delete
            </WriteButton>
          )}
          <WriteButton className="primary" onClick={() => setStep('edit')}>
            {exists ? 'Edit' : 'Set'}
          </WriteButton>
        </>
      }
    >
      {watched !== undefined && <p className="muted">Changed last at offset {count(watched.offset)}.</p>}
      {stored === undefined ? <Loading what="the item" /> : <Value stored={stored} text={text} />}
    </Dialog>
  );
}

function Value({ stored, text }: { readonly stored: ApiResult<string>; readonly text: string | undefined }) {
  if (stored.kind === 'refused' && stored.status === 404) return <Notice tone="info" text="There is no such item now." />;
  if (stored.kind !== 'ok') return <Failure failure={stored} />;
  return <JsonView value={parseJson(text ?? stored.value)} />;
}
