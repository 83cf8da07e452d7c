import { formatPosition } from '@rivulet/protocol';
import { bytes, count, counted, duration } from '../parts/figures.js';
import { Notice } from '../parts/states.js';
import type { WatchState } from './live/group-watch.js';
import type { Group } from './streams-wire.js';

/** The position, the readers and the log of a group. The position of the live copy comes before that of the last answer. */
export function GroupFacts({ group, live }: { readonly group: Group; readonly live: WatchState | undefined }) {
  const { log } = group;
  const position = live?.position === undefined ? group.position : formatPosition(live.position);
  const facts = [
    ['Position', position ?? (group.stored_by === 'worker' ? 'kept by a worker' : 'unknown')],
    ['Watched by', counted(group.subscriptions, 'client')],
    ['Log', log === undefined ? 'none, because nobody watches' : `${counted(log.changes, 'change')}, ${bytes(log.bytes)}`],
    ...(log === undefined || log.changes === 0
      ? []
      : [
          [
            'Log offsets',
            `${log.first_offset} to ${log.last_offset}${log.oldest_ms === undefined ? '' : `, ${duration(log.oldest_ms)} back`}`,
          ],
        ]),
    ...(live === undefined ? [] : [['Items', count(live.items.length)]]),
  ] as const;
  return (
    <>
      {!group.available && (
        <Notice tone="bad" text={`The engine cannot reach the store of this group since ${duration(group.unavailable_ms)}.`} />
      )}
      <dl className="group-facts">
        {facts.map(([title, text]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd className={title === 'Position' ? 'code' : undefined}>{text}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
