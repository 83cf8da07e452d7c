import type { ErrorCode } from '../errors.js';

/**
 * Frames about a connection or a subscription instead of an item, for clients that know positions. Everything is under `data`: the
 * clients of spec ST §2.5 read the names of a stream only at the top of a frame, and skip types that they don't know.
 */
export type ControlFrame =
  | { readonly type: 'syncing' | 'stale'; readonly data: { readonly subscriptionId: string } }
  | {
      readonly type: 'resumed';
      readonly data: {
        readonly subscriptionId: string;
        readonly mode: 'tail' | 'changes';
        readonly epoch: string;
        readonly from: number;
        readonly to: number;
      };
    }
  | {
      readonly type: 'caught_up';
      readonly data: { readonly subscriptionId: string; readonly epoch: string; readonly offset: number };
    }
  | {
      readonly type: 'gap';
      readonly data: {
        readonly subscriptionId: string;
        readonly after: number;
        readonly through: number;
        /** How many events are lost; absent when that is not known. */
        readonly count?: number;
      };
    }
  | {
      readonly type: 'error';
      readonly data: { readonly subscriptionId?: string; readonly code: ErrorCode; readonly message: string };
    }
  | { readonly type: 'expiring' | 'refreshed'; readonly data: { readonly expiresAtMs: number | null } };

export function encodeControl(frame: ControlFrame): string {
  return JSON.stringify(frame);
}
