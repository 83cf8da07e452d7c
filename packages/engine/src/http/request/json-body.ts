import { isUtf8 } from 'node:buffer';
import { type JsonText, LIMITS, parseJson, SlicedJsonScan } from '@rivulet/protocol';
import type { TurnBudget } from '../../structures/turn-budget.js';

export type ReadJson =
  /** `text` is `null` when the body is empty or no JSON. `inexact` says that it has numbers that a double cannot represent exactly. */
  { readonly kind: 'body'; readonly text: JsonText; readonly inexact: boolean } | { readonly kind: 'too_large'; readonly reason: string };

const NONE: ReadJson = { kind: 'body', text: 'null', inexact: false };
/** Bytes that are decoded, or characters that are scanned, in one or two milliseconds. */
const SLICE = 262_144;

/** Reads a small JSON body in one go. */
export function readSmallJson(bytes: Buffer): ReadJson {
  const steps = readInSteps(bytes);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * Reads a JSON body of any size. The event loop turns between the steps. Decoding, scanning and parsing 8 MB each take some ten
 * milliseconds, and several bodies may arrive in one turn.
 */
export async function readLargeJson(bytes: Buffer, turns: TurnBudget): Promise<ReadJson> {
  const steps = readInSteps(bytes);
  await turns.next();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await (step.value === 'slice' ? turns.free() : turns.next());
  }
}

/** Yields `turn` before a step that cannot be divided, and `slice` where the work may continue while the turn has time. */
function* readInSteps(bytes: Buffer): Generator<'turn' | 'slice', ReadJson> {
  if (bytes.length === 0 || !isUtf8(bytes)) return NONE;
  let text = '';
  for (let from = 0, to = 0; from < bytes.length; from = to) {
    to = endOfCharacter(bytes, from + SLICE);
    text += bytes.toString('utf8', from, to);
    yield 'slice';
  }
  const scan = new SlicedJsonScan(text, LIMITS.guestKeys);
  let result = scan.next(SLICE);
  while (result === undefined) {
    yield 'slice';
    result = scan.next(SLICE);
  }
  if (result.kind === 'refused') return { kind: 'too_large', reason: `the JSON body can't be taken: ${result.reason}` };
  yield 'turn';
  if (parseJson(text) === undefined) return NONE;
  yield 'turn';
  return { kind: 'body', text, inexact: result.inexactNumbers };
}

/** Returns the first position from `at` on at which no UTF-8 character is cut. */
function endOfCharacter(bytes: Buffer, at: number): number {
  let end = Math.min(at, bytes.length);
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end++;
  return end;
}
