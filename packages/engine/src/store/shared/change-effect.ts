import type { JsonText, StreamEffect } from '@rivulet/protocol';
import type { Change, WithoutGroup } from '../store.js';

/** The effect of a change on an item, decided from the value before. Every store decides it with `effectOf`. */
export type Effect =
  | { readonly kind: 'none' }
  | { readonly kind: 'write'; readonly effect: 'create' | 'update'; readonly data: JsonText }
  | { readonly kind: 'remove'; readonly data: JsonText }
  /** The change takes an offset and is published; nothing is stored. */
  | { readonly kind: 'publish'; readonly effect: StreamEffect | 'event'; readonly data: JsonText };

/** Returns the effect of a change. Throws the errors of `compute` of an update. */
export function effectOf(change: WithoutGroup<Change>, old: JsonText | undefined): Effect {
  switch (change.kind) {
    case 'set':
      return write(old, change.data);
    case 'update': {
      const data = change.compute(old);
      return data === undefined ? { kind: 'none' } : write(old, data);
    }
    case 'delete':
      return old === undefined ? { kind: 'none' } : { kind: 'remove', data: old };
    case 'event':
      return { kind: 'publish', effect: 'event', data: change.data };
    case 'external':
      return { kind: 'publish', effect: change.effect, data: change.data };
    default:
      return change satisfies never;
  }
}

function write(old: JsonText | undefined, data: JsonText): Effect {
  return { kind: 'write', effect: old === undefined ? 'create' : 'update', data };
}
