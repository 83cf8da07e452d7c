import type { ErrorCode } from '../errors.js';

/**
 * The frames about a connection or a subscription, for position-aware clients. All members are under `data`. The clients of spec ST §2.5
 * read the names of a stream only at the top of a frame, and skip types that they don't know. So they ignore these frames.
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
        /** The number of lost events. Absent if the engine does not know it. */
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
