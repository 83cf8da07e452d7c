import type { GroupRef, StoreEvents } from '../store.js';

/**
 * Calls `onAvailability` of the engine. An adapter that was written for the last minor version and wraps this store may pass only the old
 * name of the callback; then that one is called.
 */
export function notifyAvailability(events: StoreEvents, ref: GroupRef | undefined, available: boolean): void {
  if (events.onAvailability !== undefined) events.onAvailability(ref, available);
  // @deprecated
  else events.onReach?.(ref, available);
}
