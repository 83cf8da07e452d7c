import type { ComponentType } from 'react';
import { OverviewPage } from '../overview/overview-page.js';
import type { Route } from '../parts/address.js';
import type { IconName } from '../parts/icons.js';
import { StreamsPage } from '../streams/streams-page.js';

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
];
