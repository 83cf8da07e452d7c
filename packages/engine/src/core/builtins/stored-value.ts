import { exceedsNodes, type JsonText, LIMITS, RivuletError } from '@rivulet/protocol';

/** The smallest frame of a `stream::set` has this many values around the one that it stores: objects, ids and names. */
const ENVELOPE_NODES = 7;
const MOST_NODES = LIMITS.jsonNodes - ENVELOPE_NODES;
/** Bytes of UTF-8 that one UTF-16 code unit takes at most. */
const MOST_BYTES_PER_UNIT = 3;

/** Throws VALUE_TOO_LARGE for a value that an item may not hold: one that is too long, or that no `stream::set` could have brought. */
export function requireStorable(text: JsonText): void {
  if (text.length * MOST_BYTES_PER_UNIT > LIMITS.valueBytes && Buffer.byteLength(text) > LIMITS.valueBytes) {
    throw new RivuletError('VALUE_TOO_LARGE', `an item holds at most ${LIMITS.valueBytes} bytes of JSON; split it over several items`);
  }
  if (exceedsNodes(text, MOST_NODES)) {
    throw new RivuletError('VALUE_TOO_LARGE', `an item holds at most ${MOST_NODES} JSON values; split it over several items`);
  }
}
