import type { StreamChangeFrame, StreamEventFrame, StreamGapFrame } from '@rivulet/protocol';
import type { SyncParts } from './sync-parts.js';

/** What happens in a group. */
export type Frame = StreamChangeFrame | StreamEventFrame;

/** Where a subscription is in the conversation. `apart`: no connection, or not asked yet. */
export type Phase =
  | { readonly kind: 'apart' }
  /** `early`: frames of a server without positions, which may send some before the `sync` that they belong behind. */
  | { readonly kind: 'joining'; readonly early: Frame[] }
  /** Joins again later. */
  | { readonly kind: 'waiting'; readonly refused: boolean }
  | { readonly kind: 'tail'; readonly to: number }
  /** Newest frames of items, shown together once all are there. */
  | { readonly kind: 'changes'; readonly to: number; readonly staged: Map<string, StreamChangeFrame>; readonly gaps: StreamGapFrame[] }
  | { readonly kind: 'parts'; readonly parts: SyncParts; readonly gaps: StreamGapFrame[] }
  | { readonly kind: 'live' };

export const APART: Phase = { kind: 'apart' };
export const LIVE: Phase = { kind: 'live' };

/** What comes is for it. */
export function isAnswered({ kind }: Phase): boolean {
  return kind !== 'apart' && kind !== 'joining' && kind !== 'waiting';
}

/** One item has one newest frame, whatever else of the group crosses it. */
export function stage(staged: Map<string, StreamChangeFrame>, frame: StreamChangeFrame): void {
  const before = staged.get(frame.itemId);
  if (before === undefined || (before.offset ?? 0) < (frame.offset ?? 0)) staged.set(frame.itemId, frame);
}
