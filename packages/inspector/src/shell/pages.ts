import type { ComponentType } from 'react';
import { ConnectionsPage } from '../connections/connections-page.js';
import { OverviewPage } from '../overview/overview-page.js';
import type { Route } from '../parts/address.js';
import type { IconName } from '../parts/icons.js';
import { StreamsPage } from '../streams/streams-page.js';
import { WhyPage } from '../why/why-page.js';
import { WorkersPage } from '../workers/workers-page.js';

/** One entry of the navigation. The page gets the parts of the address after its own name. */
export interface PageEntry {
  /** The first part of the address. */
  readonly name: string;
  readonly title: string;
  readonly icon: IconName;
  readonly page: ComponentType<Route>;
}

/** The pages in the order of the navigation. The first one opens without an address. */
export const PAGES: readonly [PageEntry, ...PageEntry[]] = [
  { name: 'overview', title: 'Overview', icon: 'overview', page: OverviewPage },
  { name: 'streams', title: 'Streams', icon: 'streams', page: StreamsPage },
  { name: 'connections', title: 'Connections', icon: 'connections', page: ConnectionsPage },
  { name: 'workers', title: 'Workers', icon: 'workers', page: WorkersPage },
  { name: 'why', title: 'Why', icon: 'why', page: WhyPage },
];
