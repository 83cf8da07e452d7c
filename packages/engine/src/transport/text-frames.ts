const FINAL_TEXT = 0x81;
const MASKED = 0x80;
const MASK_BYTES = 4;
/** Value of the length field that says that two bytes with the length follow. */
const TWO_BYTES = 126;
const LARGEST_OF_TWO_BYTES = 65_535;
/** The decoder of Node writes this character in place of bytes that are not UTF-8. */
const REPLACEMENT = '\ufffd';

/** Takes the messages that `takeTextFrames` reads. */
export interface TextReceiver {
  /** False: the rest of the bytes must wait. It is read before each frame. */
  readonly takesFrames: boolean;
  /** `bytes`: length of the text in UTF-8. Must not throw. */
  receivedText(text: string, bytes: number): void;
}

/**
 * Reads whole text messages from the begin of the bytes, and returns the bytes that it read. Use it only between two frames. It reads what
 * nearly all peers send: a masked text message in one frame, with at most 65,535 bytes and at most `most`. It stops before every other
 * frame, and before a frame that breaks a rule. The parser of `ws` reads that frame, and answers errors with the right code.
 *
 * It allocates only the texts. The parser of `ws` allocates five buffers and emits an event for each message.
 */
export function takeTextFrames(bytes: Buffer, most: number, receiver: TextReceiver): number {
  const limit = Math.min(most, LARGEST_OF_TWO_BYTES);
  let at = 0;
  while (receiver.takesFrames && bytes[at] === FINAL_TEXT) {
    const second = bytes[at + 1] ?? 0;
    const short = second & ~MASKED;
    const mask = at + (short === TWO_BYTES ? 4 : 2);
    const start = mask + MASK_BYTES;
    if (second < MASKED || short > TWO_BYTES || start > bytes.length) break;
    const length = short === TWO_BYTES ? ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number) : short;
    const end = start + length;
    if (length > limit || end > bytes.length) break;
    applyMask(bytes, mask, start, end);
    const text = bytes.toString('utf8', start, end);
    // A valid text may have this character too. Such a text is rare enough for the parser of `ws`.
    if (text.includes(REPLACEMENT)) {
      applyMask(bytes, mask, start, end);
      break;
    }
    at = end;
    receiver.receivedText(text, length);
  }
  return at;
}

/** Masks or unmasks a payload in its place (RFC 6455 §5.3). */
function applyMask(bytes: Buffer, mask: number, start: number, end: number): void {
  const first = bytes[mask] as number;
  const second = bytes[mask + 1] as number;
  const third = bytes[mask + 2] as number;
  const fourth = bytes[mask + 3] as number;
  if ((first | second | third | fourth) === 0) return;
  let at = start;
  for (; at + MASK_BYTES <= end; at += MASK_BYTES) {
    bytes[at] = (bytes[at] as number) ^ first;
    bytes[at + 1] = (bytes[at + 1] as number) ^ second;
    bytes[at + 2] = (bytes[at + 2] as number) ^ third;
    bytes[at + 3] = (bytes[at + 3] as number) ^ fourth;
  }
  if (at < end) bytes[at] = (bytes[at] as number) ^ first;
  if (at + 1 < end) bytes[at + 1] = (bytes[at + 1] as number) ^ second;
  if (at + 2 < end) bytes[at + 2] = (bytes[at + 2] as number) ^ third;
}
