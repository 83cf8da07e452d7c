import { Icon } from '../parts/icons.js';
import type { WatchState } from './live/group-watch.js';
import type { WatchChoice } from './live/use-watch-choice.js';

const STATES = {
  connecting: { tone: 'warn', text: 'Connecting' },
  live: { tone: 'good', text: 'Live' },
  stale: { tone: 'warn', text: 'Catching up' },
  closed: { tone: '', text: 'Closed' },
} as const;

/** The state of the live copy, and the button that begins or ends it. */
export function LiveSwitch({ choice, live }: { readonly choice: WatchChoice; readonly live: WatchState | undefined }) {
  const { tone, text } = live === undefined ? { tone: '', text: 'Not watched' } : STATES[live.status];
  return (
    <>
      <span className={`pill ${tone}`} role="status">
        {text}
      </span>
      <button type="button" className="button small quiet" onClick={() => choice.choose(!choice.isOn)}>
        <Icon name={choice.isOn ? 'pause' : 'live'} /> {choice.isOn ? 'Stop watching' : 'Watch live'}
      </button>
    </>
  );
}
