import type { TriggerBinding } from './fabric.js';

/**
 * Trigger types whose functions decide about others, or learn of them. A session may register one only if its `allowed_trigger_types`
 * name it, and serves none that somebody trusted has registered.
 */
export const DECIDING_TYPES: ReadonlySet<string> = new Set(['stream:join', 'stream:leave']);

/** Trigger types through which a guest sees data of others, or answers in their place. */
export const OPEN_TYPES: ReadonlySet<string> = new Set(['stream', 'state', 'subscribe', 'http']);

/** Whether the function of the binding is asked as one that decides, as in `Call`. */
export function decides({ type, guest }: TriggerBinding): boolean {
  return guest !== true && DECIDING_TYPES.has(type);
}
