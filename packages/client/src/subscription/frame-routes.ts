import type { StreamServerMessage } from '@rivulet/protocol';
import { StreamError } from '../access/stream-error.js';
import type { Copy } from '../persistence/copies.js';
import { targetKey } from './join.js';
import type { Subscription } from './subscription.js';

/** A subscription and the views that share it. */
export interface Shared {
  readonly subscription: Subscription;
  readonly views: Set<{ close(): void }>;
  readonly copy: Copy | undefined;
}

/** The messages for subscriptions. The others are for the whole connection, or for a call. */
export type RoutedMessage = Exclude<StreamServerMessage, { readonly type: 'expiring' | 'result' | 'call_error' }>;

/**
 * Gives a message to the subscriptions that it is for, by their `targetKey` or by their id. `report` gets an error that belongs to no
 * subscription. Returns `true` if only a server with positions sends such a message.
 */
export function routeFrame(
  message: RoutedMessage,
  byTarget: ReadonlyMap<string, Shared>,
  byId: ReadonlyMap<string, Shared>,
  report: (error: StreamError) => void,
): true | void {
  const at = (about: { readonly streamName: string; readonly groupId: string }, item?: string) =>
    byTarget.get(targetKey({ stream: about.streamName, group: about.groupId, item }))?.subscription;
  // No subscription has the id `undefined`.
  const of = (about: { readonly subscriptionId?: string | undefined }) => byId.get(about.subscriptionId as string)?.subscription;
  switch (message.type) {
    case 'create':
    case 'update':
    case 'delete':
    case 'event':
      if (message.itemId !== undefined) at(message, message.itemId)?.onFrame(message);
      at(message)?.onFrame(message);
      return;
    case 'group_sync':
      at(message)?.onGroupSync(message);
      return;
    case 'item_sync':
      at(message, message.itemId)?.onItemSync(message);
      return;
    case 'unauthorized':
      for (const { subscription } of byTarget.values()) {
        const { stream, group } = subscription.target;
        if (stream === message.streamName && group === message.groupId) subscription.onUnauthorized();
      }
      return;
    case 'syncing':
      of(message)?.onSyncing();
      return true;
    case 'stale':
      of(message)?.onStale();
      return;
    case 'resumed':
      of(message)?.onResumed(message);
      return true;
    case 'caught_up':
      of(message)?.onCaughtUp(message.epoch, message.offset);
      return;
    case 'gap':
      of(message)?.onGap(message);
      return;
    case 'error':
      // The answer to the probe of the client has an id that no subscription has, so nobody gets it.
      if (message.subscriptionId === undefined) report(new StreamError(message.code, message.message));
      else of(message)?.onError(message);
      return;
    case 'refreshed':
      for (const { subscription } of byTarget.values()) subscription.onRefreshed();
      return;
    default:
      message satisfies never;
  }
}
