import type { Route } from '../parts/address.js';
import { GroupList } from './group-list.js';
import { GroupPage } from './group-page.js';
import { StreamList } from './stream-list.js';

/** Streams, the groups of a stream, or one group: as the address says. */
export function StreamsPage({ parts, query }: Route) {
  const [stream, group] = parts;
  if (stream === undefined) return <StreamList search={query['search'] ?? ''} />;
  if (group === undefined) return <GroupList stream={stream} search={query['search'] ?? ''} />;
  return <GroupPage key={JSON.stringify([stream, group])} stream={stream} group={group} query={query} />;
}
