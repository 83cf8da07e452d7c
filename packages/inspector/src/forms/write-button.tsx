import { type ReactNode, useId } from 'react';
import { access } from '../wire/admin.js';
import { useStore } from '../wire/store.js';

const WHY_NOT = 'Your token may only read. Log in with the full token to change things.';

/** Returns whether the token may change things. */
function useMayWrite(): boolean {
  const state = useStore(access);
  return state.kind === 'granted' && state.role === 'full';
}

export interface WriteButtonProps {
  readonly children: ReactNode;
  readonly onClick: () => void;
  /** More classes, such as `primary`. */
  readonly className?: string;
  /** Names a button whose children are an icon. */
  readonly label?: string;
}

/** A button that changes something. With a token that may only read, it keeps its place, does nothing, and says why. */
export function WriteButton({ children, onClick, className = '', label }: WriteButtonProps) {
  const id = useId();
  const mayWrite = useMayWrite();
  return (
    <>
      <button
        type="button"
        className={`button ${className}`}
        aria-label={label}
        title={mayWrite ? label : WHY_NOT}
        aria-disabled={!mayWrite}
        aria-describedby={mayWrite ? undefined : id}
        onClick={mayWrite ? onClick : undefined}
      >
        {children}
      </button>
      {!mayWrite && (
        <span id={id} className="unseen">
          {WHY_NOT}
        </span>
      )}
    </>
  );
}
