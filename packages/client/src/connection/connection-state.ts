import type { Closed } from './socket.js';

/** The state of a connection. `attempt` counts the attempts since a connection last stayed open long enough, from 0. */
export type ConnectionState =
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'open' }
  /** The connection waits between two attempts. `delayMs` counts from the change to this state. */
  | { readonly kind: 'waiting'; readonly attempt: number; readonly delayMs: number; readonly last: Closed }
  | { readonly kind: 'closing' }
  /** The connection is closed for good: by its owner, or because no attempt is left. */
  | { readonly kind: 'closed'; readonly by: 'owner' | 'attempts'; readonly last: Closed };
