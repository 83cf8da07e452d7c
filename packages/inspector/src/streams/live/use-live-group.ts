import { connect } from '@rivulet/client';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { BASE, tokenForLive } from '../../wire/admin.js';
import { GroupWatch, type WatchState } from './group-watch.js';

const NOTHING = () => () => {};

/** Watches a group while `isOn`. Returns what to show, or `undefined` while nothing is watched. */
export function useLiveGroup(stream: string, group: string, isOn: boolean): WatchState | undefined {
  const [watch, setWatch] = useState<GroupWatch>();
  useEffect(() => {
    if (!isOn) return undefined;
    const token = tokenForLive();
    // The token travels as a sub-protocol, because no token stands in an address. The page came over the same connection, safe or not.
    const client = connect(`${BASE}live`, { insecure: true, ...(token === undefined ? {} : { token, tokenAs: 'protocol' }) });
    const made = new GroupWatch(client, stream, group);
    setWatch(made);
    return () => {
      setWatch(undefined);
      made.end();
      client.close().catch(() => {});
    };
  }, [stream, group, isOn]);
  return useSyncExternalStore(watch?.subscribe ?? NOTHING, () => watch?.state());
}
