import { useState } from 'react';
import { Dialog } from '../forms/dialog.js';
import { useWrite } from '../forms/use-write.js';
import { Failure } from '../parts/states.js';
import { decodeDisconnected, nameOf, type Session } from './connections-wire.js';

type Target = 'session' | 'identity';

interface DisconnectDialogProps {
  readonly session: Session;
  /** `isDone`: the engine has ended the connections. */
  readonly onClose: (isDone: boolean) => void;
}

/** Asks which connections to end, and ends them. */
export function DisconnectDialog({ session, onClose }: DisconnectDialogProps) {
  const { session_id, identity } = session;
  const [target, setTarget] = useState<Target>('session');
  const { state, write } = useWrite();
  const disconnect = () => {
    const body = JSON.stringify(target === 'identity' ? { identity } : { session_id });
    write({ method: 'POST', path: ['sessions', 'disconnect'], body, decoder: decodeDisconnected }, () => onClose(true));
  };
  return (
    <Dialog
      title={`Disconnect ${nameOf(session)}?`}
      onClose={() => onClose(false)}
      onSubmit={disconnect}
      actions={
        <>
          <button type="button" className="button" onClick={() => onClose(false)}>
            Cancel
          </button>
          <button type="submit" className="button danger primary" disabled={state.kind === 'running'}>
            Disconnect
          </button>
        </>
      }
    >
      {state.kind === 'failed' && <Failure failure={state.failure} />}
      <p>
        The engine closes the connection. The client may connect again. To keep it out, let the auth function or the login server refuse it.
      </p>
      {identity !== undefined && (
        <fieldset className="choices">
          <legend className="field-label">Which connections</legend>
          <Choice chosen={target} value="session" onChange={setTarget} text="Only this one" />
          <Choice chosen={target} value="identity" onChange={setTarget} text={`All of ${identity}`} />
        </fieldset>
      )}
    </Dialog>
  );
}

interface ChoiceProps {
  readonly chosen: Target;
  readonly value: Target;
  readonly onChange: (value: Target) => void;
  readonly text: string;
}

function Choice({ chosen, value, onChange, text }: ChoiceProps) {
  return (
    <label className="choice">
      <input type="radio" name="target" checked={chosen === value} onChange={() => onChange(value)} /> <span>{text}</span>
    </label>
  );
}
