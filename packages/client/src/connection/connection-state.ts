import type { Closed } from './socket.js';

/** Where a connection is. `waiting` and `connecting` count the attempts since it last proved itself. */
export type ConnectionState =
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'open' }
  /** Between two attempts; `delayMs` from the moment of the change. */
  | { readonly kind: 'waiting'; readonly attempt: number; readonly delayMs: number; readonly last: Closed }
  | { readonly kind: 'closing' }
  /** For good: closed by its owner, or out of attempts. */
  | { readonly kind: 'closed'; readonly by: 'owner' | 'attempts'; readonly last: Closed };
