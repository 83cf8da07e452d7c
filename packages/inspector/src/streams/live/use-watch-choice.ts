import { useEffect, useState } from 'react';
import { api } from '../../wire/admin.js';
import { decodeFirstItems, groupPath } from '../streams-wire.js';

/** Items up to which a group is watched without a question. */
const SMALL_GROUP = 1_000;

export interface WatchChoice {
  readonly isOn: boolean;
  /** Whether the group has more than `SMALL_GROUP` items, or large ones. Watching it copies all of them to the page. */
  readonly isLarge: boolean;
  readonly choose: (isOn: boolean) => void;
}

/** Decides whether a group is watched: a small one at once, and a large one when the user says so. */
export function useWatchChoice(stream: string, group: string): WatchChoice {
  const [size, setSize] = useState<'unknown' | 'small' | 'large'>('unknown');
  const [chosen, choose] = useState<boolean>();
  useEffect(
    () =>
      api.request({ path: groupPath(stream, group, 'items'), query: { limit: SMALL_GROUP }, decoder: decodeFirstItems }, (result) =>
        setSize(result.kind === 'ok' && result.value.next === undefined ? 'small' : 'large'),
      ),
    [stream, group],
  );
  return { isOn: chosen ?? size === 'small', isLarge: size === 'large', choose };
}
