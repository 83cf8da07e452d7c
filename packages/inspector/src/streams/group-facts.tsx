import { formatPosition } from '@rivulet/protocol';
import { bytes, count, counted, duration } from '../parts/figures.js';
import { Notice } from '../parts/states.js';
import type { WatchState } from './live/group-watch.js';
import type { Group } from './streams-wire.js';

interface GroupFactsProps {
  readonly group: Group;
  readonly live: WatchState | undefined;
}

/** Returns titles and texts. The position of the live copy comes before that of the last answer. */
export function factsOf({ group, live }: GroupFactsProps): readonly (readonly [title: string, text: string])[] {
  const { log } = group;
  const isWatching = live !== undefined && live.status !== 'connecting';
  const position = live?.position === undefined ? group.position : formatPosition(live.position);
  return [
    ['Position', position ?? (group.stored_by === 'worker' ? 'kept by a worker' : 'unknown')],
    ['Watched by', `${counted(group.subscriptions, 'client')}${isWatching ? ', this page among them' : ''}`],
    ['Log', log === undefined ? 'none, because nobody watches' : `${counted(log.changes, 'change')}, ${bytes(log.bytes)}`],
    ...(log === undefined || log.changes === 0
      ? []
      : [
          [
            'Log offsets',
            `${log.first_offset} to ${log.last_offset}${log.oldest_ms === undefined ? '' : `, ${duration(log.oldest_ms)} back`}`,
          ] as const,
        ]),
    ...(live === undefined ? [] : [['Items', isWatching ? count(live.items.length) : 'not known yet'] as const]),
  ];
}

/** The position, the readers and the log of a group. */
export function GroupFacts(props: GroupFactsProps) {
  const { group } = props;
  return (
    <>
      {!group.available && (
        <Notice tone="bad" text={`The engine cannot reach the store of this group since ${duration(group.unavailable_ms)}.`} />
      )}
      <dl className="group-facts">
        {factsOf(props).map(([title, text]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd className={title === 'Position' ? 'code' : undefined}>{text}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
