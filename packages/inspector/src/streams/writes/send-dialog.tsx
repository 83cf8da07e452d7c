import { useState } from 'react';
import { Dialog } from '../../forms/dialog.js';
import { TextField } from '../../forms/text-field.js';
import { useWrite } from '../../forms/use-write.js';
import { draftOf, JsonEditor } from '../../json/json-editor.js';
import { Failure, Notice } from '../../parts/states.js';
import { json } from '../../wire/decoder.js';
import { groupPath } from '../streams-wire.js';

interface SendDialogProps {
  readonly stream: string;
  readonly group: string;
  readonly onClose: () => void;
}

/** Sends an event to the clients that watch a group, or one of its items. The dialog stays open for the next one. */
export function SendDialog({ stream, group, onClose }: SendDialogProps) {
  const [type, setType] = useState('message');
  const [item, setItem] = useState('');
  const [draft, setDraft] = useState(() => draftOf('{\n  "text": "hello"\n}'));
  const [sent, setSent] = useState(0);
  const { state, write } = useWrite();
  const isReady = type.trim() !== '' && draft.checked.kind === 'ok' && state.kind !== 'running';
  const send = () => {
    if (!isReady) return;
    const names = JSON.stringify({ type: type.trim(), ...(item.trim() === '' ? {} : { id: item.trim() }) });
    // The text of the data goes out as it is written, so numbers keep all their digits.
    const body = `${names.slice(0, -1)},"data":${draft.text}}`;
    write({ method: 'POST', path: groupPath(stream, group, 'send'), body, decoder: json }, () => setSent((count) => count + 1));
  };
  return (
    <Dialog
      title={`Send an event to ${group}`}
      isWide
      onClose={onClose}
      onSubmit={send}
      actions={
        <>
          <button type="button" className="button" onClick={onClose}>
            Close
          </button>
          <button type="submit" className="button primary" disabled={!isReady}>
            Send
          </button>
        </>
      }
    >
      {state.kind === 'failed' && <Failure failure={state.failure} />}
      <div role="status">{sent > 0 && <Notice tone="info" text={sent === 1 ? 'The event was sent.' : `${sent} events were sent.`} />}</div>
      <div className="field-pair">
        <TextField label="Type" value={type} onChange={setType} />
        <TextField label="Item (optional)" value={item} onChange={setItem} />
      </div>
      <JsonEditor label="Data" draft={draft} onChange={setDraft} rows={8} />
      <p className="muted">
        The store does not keep events. Clients that watch now get it, and clients that come back get it from the log.
      </p>
    </Dialog>
  );
}
