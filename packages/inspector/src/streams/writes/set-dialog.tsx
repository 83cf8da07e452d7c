import { useState } from 'react';
import { Dialog } from '../../forms/dialog.js';
import { TextField } from '../../forms/text-field.js';
import { useWrite } from '../../forms/use-write.js';
import { formatJson } from '../../json/format-json.js';
import { draftOf, JsonEditor } from '../../json/json-editor.js';
import { Failure, Notice } from '../../parts/states.js';
import { json } from '../../wire/decoder.js';
import { groupPath } from '../streams-wire.js';

export interface SetDialogProps {
  readonly stream: string;
  readonly group: string;
  /** The item that is edited. Without it the dialog asks for an id. */
  readonly item?: string;
  /** The JSON text of the item before. */
  readonly before?: string | undefined;
  /** The offset at which a watched item changed last. */
  readonly offset?: number | undefined;
  readonly onClose: () => void;
}

/** Creates or replaces an item. */
export function SetDialog({ stream, group, item, before, offset, onClose }: SetDialogProps) {
  const [name, setName] = useState('');
  const [draft, setDraft] = useState(() => draftOf(laidOut(before ?? '{\n  \n}')));
  const [begun] = useState(offset);
  const { state, write } = useWrite();
  const target = item ?? name.trim();
  const isReady = target !== '' && draft.checked.kind === 'ok' && state.kind !== 'running';
  const save = () => {
    if (!isReady) return;
    write({ method: 'PUT', path: groupPath(stream, group, 'items', target), body: draft.text, decoder: json }, onClose);
  };
  return (
    <Dialog
      title={item === undefined ? `Set an item of ${group}` : `Edit ${item}`}
      isWide
      onClose={onClose}
      onSubmit={save}
      actions={
        <>
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button primary" disabled={!isReady}>
            {state.kind === 'running' ? 'Saving…' : 'Save'}
          </button>
        </>
      }
    >
      {state.kind === 'failed' && <Failure failure={state.failure} />}
      {offset !== begun && <Notice tone="warn" text="The item has changed since you opened it. Saving replaces that change." />}
      {item === undefined && <TextField label="Item id" value={name} onChange={setName} help="An item that exists is replaced." />}
      <JsonEditor label="Data" draft={draft} onChange={setDraft} />
    </Dialog>
  );
}

function laidOut(text: string): string {
  const formatted = formatJson(text);
  return formatted.kind === 'ok' && text.trim().length > 4 ? formatted.text : text;
}
