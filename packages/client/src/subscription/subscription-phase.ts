import type { StreamChangeFrame, StreamEventFrame, StreamGapFrame } from '@rivulet/protocol';
import type { SyncParts } from './sync-parts.js';

/** A frame about an item of the group, or an event. */
export type Frame = StreamChangeFrame | StreamEventFrame;

/**
 * The status that a view shows:
 *
 * - `connecting`: the client knows no state yet.
 * - `live`: the view shows every change as it comes.
 * - `stale`: the view shows the last known state. The connection is lost, the client is catching up, or the engine can't reach its store.
 * - `closed`: the view is closed for good.
 */
export type Status = 'connecting' | 'live' | 'stale' | 'closed';

/** The phases after the client has sent a join on the open connection. */
interface Joined {
  /**
   * Set after the engine has sent `syncing` (RV-16): the next `sync` with a position is for this subscription. The list holds the lost
   * events that the engine announces with that `sync`. `undefined`: the subscription ignores a `sync` with a position.
   */
  readonly syncGaps: StreamGapFrame[] | undefined;
}

/** The phases after the engine has answered the join. Frames of the group are for this subscription. */
interface Answered extends Joined {
  /** The engine can't reach its store (RV-17), so the view is `stale` until the engine says otherwise. */
  readonly isOutdated: boolean;
}

/** The phases that apply each frame as it comes. */
interface Following extends Answered {
  /** The frames of a batch whose last frame is still missing. They are applied together. */
  readonly batch: Frame[];
}

/**
 * The conversation about one join. The client sends a join, and the engine answers in one of three ways. Each of them ends in `live`:
 *
 * - `tail`: the engine sends the frames that the client missed.
 * - `changes`: the engine sends the newest frame of each item that changed.
 * - `syncing`: the engine sends the whole state.
 *
 * ```
 *   restoring ──► offline ──► joining ──► tail | changes | syncing ──► live
 *                    ▲          ▲ │                │                     │
 *                    │          │ └──► waiting ◄───┴─────────────────────┘   refused, no answer, or a sequence gap
 *                    │          └────────┘
 *                    └── connection lost, from any phase that has joined
 * ```
 *
 * `closed` follows from every phase and is the last one. `live` goes back to `tail`, `changes` or `syncing` when the engine says so, for
 * instance because the client read too slowly. The unit test `subscription-phase.test.ts` walks all transitions.
 */
export type Phase =
  /** The persistent copy is being read. The join waits for it, because the copy may have a position. */
  | { readonly kind: 'restoring' }
  /** There is no connection. */
  | { readonly kind: 'offline' }
  /** The join is sent and not answered. `early`: frames that a server without positions sends before the `sync` that they follow. */
  | (Joined & { readonly kind: 'joining'; readonly early: Frame[] })
  /** The client sends the join again after a delay. `cause`: why it was not answered, or why the answer is void. */
  | (Joined & { readonly kind: 'waiting'; readonly cause: 'gap' | 'refused' | 'no place' })
  /** The engine sends the missed frames up to the offset `to`. */
  | (Following & { readonly kind: 'tail'; readonly to: number })
  /**
   * The engine sends the newest frame of each changed item, and then `caught_up` with the offset `to`. The client applies them together.
   */
  | (Answered & {
      readonly kind: 'changes';
      readonly to: number;
      readonly staged: Map<string, StreamChangeFrame>;
      readonly gaps: StreamGapFrame[];
    })
  /** The engine sends the whole state in parts. The client applies them together. */
  | (Answered & { readonly kind: 'syncing'; readonly parts: SyncParts })
  /** Everything is applied. `since`: when that began, on the clock of the client. */
  | (Following & { readonly kind: 'live'; readonly since: number })
  | { readonly kind: 'closed' };

export type JoinedPhase = Extract<Phase, Joined>;
export type AnsweredPhase = Extract<Phase, Answered>;

export function isJoined(phase: Phase): phase is JoinedPhase {
  return 'syncGaps' in phase;
}

export function isAnswered(phase: Phase): phase is AnsweredPhase {
  return 'isOutdated' in phase;
}

export function isOutdated(phase: Phase): boolean {
  return isAnswered(phase) && phase.isOutdated;
}

/** Returns the frames of the batch that is open in this phase. */
export function batchOf(phase: Phase): Frame[] {
  return 'batch' in phase ? phase.batch : [];
}

/** Returns the status that views show in a phase. `isKnown`: the client holds a state, which may be an old one. */
export function statusOf(phase: Phase, isKnown: boolean): Status {
  if (phase.kind === 'closed') return 'closed';
  if (phase.kind === 'live' && !phase.isOutdated) return 'live';
  return isKnown ? 'stale' : 'connecting';
}

/** Stages a frame, unless a newer frame of the same item is staged. Live changes of the group may come between the frames of `changes`. */
export function stage(staged: Map<string, StreamChangeFrame>, frame: StreamChangeFrame): void {
  const before = staged.get(frame.itemId);
  if (before === undefined || (before.offset ?? 0) < (frame.offset ?? 0)) staged.set(frame.itemId, frame);
}
