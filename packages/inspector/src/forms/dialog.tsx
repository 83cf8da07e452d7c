import { type FormEvent, type ReactNode, useId, useLayoutEffect, useRef } from 'react';
import { Icon } from '../parts/icons.js';

export interface DialogProps {
  readonly title: string;
  readonly children: ReactNode;
  /** The buttons. A button of type `submit` calls `onSubmit`. */
  readonly actions: ReactNode;
  readonly onClose: () => void;
  readonly onSubmit?: () => void;
  /** @default false */
  readonly isWide?: boolean;
}

/**
 * A modal dialog. While it is on the page, the rest of the page takes no input. Escape closes it. The focus goes to its first field, and
 * back to where it was. Render it only while it is open.
 */
export function Dialog({ title, children, actions, onClose, onSubmit, isWide = false }: DialogProps) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    // An open dialog that leaves the page would take the focus with it.
    return () => element?.close();
  }, []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit?.();
  };
  return (
    <dialog
      ref={dialog}
      className={`dialog${isWide ? ' wide' : ''}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <form onSubmit={submit}>
        <div className="dialog-head">
          <h2 id={id}>{title}</h2>
        </div>
        <div className="dialog-body">{children}</div>
        <div className="dialog-actions">{actions}</div>
        {/* It stands at the top, but comes last, so that the first field gets the focus. */}
        <button type="button" className="button quiet icon-only dialog-close" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </button>
      </form>
    </dialog>
  );
}
