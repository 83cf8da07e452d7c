import { exceedsNodes, type JsonText, LIMITS, RivuletError } from '@rivulet/protocol';

/** JSON values in the smallest frame of a `stream::set`, around the stored value: objects, ids and names. */
const ENVELOPE_NODES = 7;
const MOST_NODES = LIMITS.jsonNodes - ENVELOPE_NODES;
/** Most UTF-8 bytes of one UTF-16 code unit. */
const MOST_BYTES_PER_UNIT = 3;

/** Throws VALUE_TOO_LARGE for a value that is too long for an item, or that no `stream::set` could send. */
export function requireStorable(text: JsonText): void {
  if (text.length * MOST_BYTES_PER_UNIT > LIMITS.valueBytes && Buffer.byteLength(text) > LIMITS.valueBytes) {
    throw new RivuletError('VALUE_TOO_LARGE', `an item holds at most ${LIMITS.valueBytes} bytes of JSON; split it over several items`);
  }
  if (exceedsNodes(text, MOST_NODES)) {
    throw new RivuletError('VALUE_TOO_LARGE', `an item holds at most ${MOST_NODES} JSON values; split it over several items`);
  }
}
