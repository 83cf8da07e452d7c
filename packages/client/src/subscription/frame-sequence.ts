import { BATCH_WRITES } from '@rivulet/protocol';
import type { Frame } from './subscription-phase.js';

/**
 * The meaning of the next frame of a group. A list holds the frames that the client applies together now. `incomplete` means that the frame
 * belongs to a batch whose last frame is still missing.
 */
export type NextStep = readonly Frame[] | 'duplicate' | 'incomplete' | { readonly gap: string };

/** Returns the offset up to which the client holds every frame, those of the open batch included. */
export function coveredOffset(batch: readonly Frame[], known: number): number {
  return batch.at(-1)?.offset ?? known;
}

/**
 * Returns the meaning of a frame of a group, and adds it to the open batch or empties the batch. The offsets of a group have no holes, so a
 * frame that does not follow the last one proves that frames are missing.
 *
 * Example: the client is at offset 4 and gets the offsets 5 and 6, both with `through: 6`. Offset 5 is `incomplete`. Offset 6 returns both.
 */
export function nextStep(batch: Frame[], known: number, frame: Frame, offset: number): NextStep {
  const covered = coveredOffset(batch, known);
  if (offset <= covered) return 'duplicate';
  const through = frame.type === 'event' ? undefined : frame.through;
  const [open] = batch;
  const fits = open === undefined || open.type === 'event' || open.through === through;
  if (offset !== covered + 1 || !fits) return { gap: `offset ${offset} came after ${covered}` };
  if (through === undefined || through <= offset) return [...batch.splice(0), frame];
  return batch.push(frame) >= BATCH_WRITES ? { gap: 'a batch does not end' } : 'incomplete';
}
