import type { ReactNode } from 'react';
import type { ApiFailure } from '../wire/api.js';
import { Icon, type IconName } from './icons.js';

/** A place where a list, a chart or a value would be. It says why there is none, and what to do. */
export function EmptyState({ icon, title, children }: { readonly icon: IconName; readonly title: string; readonly children?: ReactNode }) {
  return (
    <div className="state">
      <Icon name={icon} />
      <p className="state-title">{title}</p>
      {children !== undefined && <div className="state-text">{children}</div>}
    </div>
  );
}

/** Takes the place of content that has not arrived yet. It appears after a moment, so that a fast answer causes no flicker. */
export function Loading({ what }: { readonly what: string }) {
  return (
    <div className="loading" role="status">
      <span className="unseen">Loading {what}…</span>
      <span className="bone" />
      <span className="bone" />
      <span className="bone" />
    </div>
  );
}

/** Returns what went wrong, in one sentence for people. */
export function failureText(failure: ApiFailure): string {
  switch (failure.kind) {
    case 'unreachable':
      return 'The engine does not answer.';
    case 'unexpected':
      return `The engine gave an answer that this page does not understand: ${failure.message}.`;
    case 'refused':
      return failure.message === '' ? failure.code : `${failure.message} (${failure.code})`;
  }
}

/** Says why content is missing, or may be old. */
export function Failure({ failure, onRetry }: { readonly failure: ApiFailure; readonly onRetry?: () => void }) {
  return (
    <Notice tone="bad" text={failureText(failure)} {...(onRetry === undefined ? {} : { action: { label: 'Try again', run: onRetry } })} />
  );
}

export interface NoticeAction {
  readonly label: string;
  readonly run: () => void;
}

/** A line above content. A screen reader reads it at once if it is `bad`. */
export function Notice({
  tone,
  text,
  action,
}: {
  readonly tone: 'bad' | 'warn' | 'info';
  readonly text: ReactNode;
  readonly action?: NoticeAction;
}) {
  return (
    <div className={`notice ${tone}`} role={tone === 'bad' ? 'alert' : undefined}>
      <Icon name="warning" />
      <p>{text}</p>
      {action !== undefined && (
        <button type="button" className="button small" onClick={action.run}>
          {action.label}
        </button>
      )}
    </div>
  );
}
