import type { ConnectOptions, InitialState, StreamClient } from '../../src/index.js';
import type { CallerPage } from './callers.js';
import type { PeoplePage } from './people.js';
import type { Tapped } from './tapped.js';

export interface Chat {
  readonly id: string;
  readonly text: string;
}

/** The values that the page of each framework exports. */
export interface FrameworkPage {
  readonly tapped: (url: string, options?: ConnectOptions) => Tapped;
  readonly people: PeoplePage;
  readonly caller: CallerPage;
}

/** How a test drives components that show a group of `chat` twice, in the element `#server`. */
export interface RoomsPage {
  /** The lines that components rendered, and the events that they got. */
  readonly rendered: string[];
  readonly heard: string[];
  /** With `initial` it hydrates the HTML of a server. */
  show: (client: StreamClient, initial?: InitialState<Chat>) => void;
  turnTo: (group: string) => void;
  showRooms: (isShown: boolean) => void;
  end: () => void;
}

/** Returns rooms that are not shown yet. */
export function newRooms(): RoomsPage {
  return { rendered: [], heard: [], show: () => {}, turnTo: () => {}, showRooms: () => {}, end: () => {} };
}
