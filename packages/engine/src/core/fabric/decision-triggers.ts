import type { TriggerBinding } from './fabric.js';

/**
 * Trigger types whose functions decide about others, or learn about them. A guest may register one only if its `allowed_trigger_types` name
 * it. No guest serves a function to which a trusted worker has bound one.
 */
export const DECIDING_TYPES: ReadonlySet<string> = new Set(['stream:join', 'stream:leave']);

/** Trigger types through which a guest sees data of others, or answers in their place. */
export const OPEN_TYPES: ReadonlySet<string> = new Set(['stream', 'state', 'subscribe', 'http']);

/** Returns whether the engine calls the function of a binding as one that decides (`Call.deciding`). */
export function decides({ type, guest }: TriggerBinding): boolean {
  return guest !== true && DECIDING_TYPES.has(type);
}
