import { memo, useRef, useState } from 'react';
import { preview } from '../json/preview.js';
import { count, time } from '../parts/figures.js';
import { Icon } from '../parts/icons.js';
import { EmptyState } from '../parts/states.js';
import type { FeedEntry } from './live/change-ring.js';
import { FEED_ENTRIES, type WatchState } from './live/group-watch.js';
import type { WatchChoice } from './live/use-watch-choice.js';

const PREVIEW_CHARS = 240;

/** The changes and events of a watched group, the newest first, as they come. */
export function ChangeFeed({ live, choice }: { readonly live: WatchState | undefined; readonly choice: WatchChoice }) {
  const [isPaused, setPaused] = useState(false);
  const frozen = useRef<WatchState | undefined>(undefined);
  if (!isPaused) frozen.current = live;
  const shown = frozen.current;
  if (shown === undefined) return <NotWatched choice={choice} />;
  return (
    <div className="card">
      <div className="panel-head">
        <button type="button" className="button small" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
          <Icon name={isPaused ? 'play' : 'pause'} /> {isPaused ? 'Go on' : 'Pause'}
        </button>
        <span className="muted">
          {count(live?.count ?? 0)} since you opened this group{shown.count > FEED_ENTRIES ? `, the last ${FEED_ENTRIES} are shown` : ''}
        </span>
      </div>
      {shown.feed.length === 0 ? (
        <EmptyState icon="live" title="Waiting for changes">
          Changes and events appear here as they come.
        </EmptyState>
      ) : (
        <ol className="feed">
          {shown.feed.map((entry) => (
            <Line key={entry.number} entry={entry} />
          ))}
        </ol>
      )}
    </div>
  );
}

function NotWatched({ choice }: { readonly choice: WatchChoice }) {
  return (
    <div className="card">
      <EmptyState icon="live" title="This group is not watched">
        {choice.isLarge && <p>It is large. Watching copies all of its items to this page.</p>}
        <p>
          <button type="button" className="button" onClick={() => choice.choose(true)}>
            <Icon name="live" /> Watch live
          </button>
        </p>
      </EmptyState>
    </div>
  );
}

const TONES = { create: 'good', update: 'info', delete: 'bad', event: 'event', reset: '', gap: 'warn' } as const;

/** An entry never changes, so React draws it once. */
const Line = memo(function Line({ entry }: { readonly entry: FeedEntry }) {
  return (
    <li>
      <span className="feed-offset number">{'offset' in entry ? (entry.offset ?? '–') : '–'}</span>
      <span className={`tag ${TONES[entry.kind]}`}>{entry.kind}</span>
      <span className="feed-item code">{'id' in entry ? (entry.id ?? 'whole group') : ''}</span>
      <span className="feed-data code one-line">{textOf(entry)}</span>
      <time className="muted">{time(entry.atMs)}</time>
    </li>
  );
});

function textOf(entry: FeedEntry): string {
  switch (entry.kind) {
    case 'reset':
      return entry.reason === 'first' ? 'got all items' : `got all items again: ${entry.reason}`;
    case 'gap':
      return `events after ${entry.after} up to ${entry.through} may be lost`;
    case 'event':
      return `${entry.name} ${preview(entry.data, PREVIEW_CHARS)}`;
    case 'create':
    case 'update':
    case 'delete':
      return preview(entry.data, PREVIEW_CHARS);
  }
}
