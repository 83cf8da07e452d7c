import { Icon } from './icons.js';
import type { Refusal, Writing } from './use-board.js';

export function OfflineBanner({ waiting }: { readonly waiting: number }) {
  const cards = waiting === 1 ? '1 card waits' : `${waiting} cards wait`;
  return (
    <p className="banner" role="status">
      <Icon name="offline" />
      <strong>You are offline.</strong>
      {waiting === 0 ? 'Go on: changes wait here and are sent when you are back.' : `${cards} here, and are sent when you are back.`}
    </p>
  );
}

interface ToastProps {
  readonly refusal: Refusal;
  readonly onRetry: (writing: Writing) => void;
  readonly onClose: () => void;
}

/** Says why a change did not take effect. */
export function Toast({ refusal: { message, writing }, onRetry, onClose }: ToastProps) {
  return (
    <div className="toast" role="alert">
      <p>
        <strong>Not saved:</strong> {message}
      </p>
      {writing !== undefined && (
        <button
          type="button"
          className="quiet"
          onClick={() => {
            onRetry(writing);
            onClose();
          }}
        >
          Edit again
        </button>
      )}
      <button type="button" className="quiet" aria-label="Close this message" onClick={onClose}>
        <Icon name="close" />
      </button>
    </div>
  );
}
