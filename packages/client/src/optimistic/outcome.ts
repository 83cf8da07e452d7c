import type { Position } from '@rivulet/protocol';
import { type DraftLayer, keyOf } from './draft-layer.js';
import { type Effects, isMet } from './effects.js';

/** The end of a call, as its group positions tell it. */
export interface Outcome {
  readonly failed: boolean;
  /** The positions of the groups that the call asked for, by `keyOf`. `undefined`: the group has no position for this client. */
  readonly positions: ReadonlyMap<string, Position | undefined>;
  /** The number of `sync` frames that each layer had taken when the call ended. */
  readonly syncs: ReadonlyMap<DraftLayer, number>;
  /** Whether views that can't know have waited long enough. */
  isWaitOver: boolean;
}

/**
 * Returns whether the replica of a layer shows the outcome of a call, so that the effects of the call can be dropped. `layers`: all layers
 * of the group.
 */
export function isOver(outcome: Outcome, layer: DraftLayer, effects: Effects, layers: Iterable<DraftLayer>): boolean {
  const { failed, positions, isWaitOver } = outcome;
  const { target, replica, status, isRefused } = layer.subscription;
  const { position } = replica;
  const key = keyOf(target);
  const at = positions.get(key);
  const isLive = status === 'live';
  // The engine may refuse the view for ever.
  if (isRefused && isWaitOver) return true;
  if (at === undefined) {
    if (failed || !isLive) return failed;
    // The view of a stream without positions has nothing to wait for. Otherwise the engine could not tell the position, or the draft
    // changes the group only since it ran again, so that the call did not ask for it.
    if (isWaitOver || (position === undefined && positions.has(key))) return true;
    return [...effects].every(([id, effect]) => isMet(effect, replica.mirror.get(id)));
  }
  if (position === undefined) return replica.known && isLive;
  if (position.epoch !== at.epoch)
    return layer.hasLeft(at.epoch) || layer.syncs > (outcome.syncs.get(layer) ?? 0) || (isLive && isWaitOver);
  if (position.offset >= at.offset) return true;
  const { item } = target;
  if (item === undefined) return false;
  // The position of an item moves only with its own changes. A call that failed has most likely not changed it.
  if (failed || !effects.has(item) || isMet(effects.get(item), replica.mirror.get(item))) return true;
  // All frames of a group come in order, whichever subscriptions they are for.
  return isLive && (isWaitOver || [...layers].some(({ followed }) => followed?.epoch === at.epoch && followed.offset >= at.offset));
}
