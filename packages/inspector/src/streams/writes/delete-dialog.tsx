import { Dialog } from '../../forms/dialog.js';
import { useWrite } from '../../forms/use-write.js';
import { Failure } from '../../parts/states.js';
import { json } from '../../wire/decoder.js';
import { groupPath } from '../streams-wire.js';

interface DeleteDialogProps {
  readonly stream: string;
  readonly group: string;
  readonly item: string;
  readonly onClose: () => void;
}

/** Asks before an item is deleted. */
export function DeleteDialog({ stream, group, item, onClose }: DeleteDialogProps) {
  const { state, write } = useWrite();
  return (
    <Dialog
      title="Delete this item?"
      onClose={onClose}
      onSubmit={() => write({ method: 'DELETE', path: groupPath(stream, group, 'items', item), decoder: json }, onClose)}
      actions={
        <>
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button danger primary" disabled={state.kind === 'running'}>
            Delete
          </button>
        </>
      }
    >
      {state.kind === 'failed' && <Failure failure={state.failure} />}
      <p>
        <code>{item}</code> of <code>{group}</code> is deleted for all clients. Nobody can undo this.
      </p>
    </Dialog>
  );
}
