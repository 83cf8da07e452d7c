/** Bytes at the end of a file: the length of the text, and its place. */
const TRAILER_BYTES = 8;
/** A text of at most this length stands in the trailer itself, filled up with 0xff. */
const SHORT_BYTES = 8;
const FILL = 0xff;

/**
 * Returns the JSON text of a file of the original engine; `undefined` when the file has another form. The file begins with the text. Zeros
 * follow up to a multiple of four, and then eight bytes. The first four have the length of the text: its low six bits, the mark 10, its
 * other bits. The last four have the distance back to the text as a negative number. This was found by looking at files of version 0.23.
 */
export function textOfIiiFile(bytes: Buffer): string | undefined {
  const trailer = bytes.length - TRAILER_BYTES;
  if (trailer < 0) return undefined;
  const back = bytes.readInt32LE(trailer + 4);
  const encoded = bytes.readUInt32LE(trailer);
  const length = (encoded & 0x3f) | ((encoded >>> 8) << 6);
  const isMarked = (encoded & 0xc0) === 0x80;
  if (isMarked && back < 0 && trailer + back >= 0 && -back - length >= 0 && -back - length < 4) {
    const begin = trailer + back;
    return bytes.toString('utf8', begin, begin + length);
  }
  if (trailer !== 0) return undefined;
  const end = bytes.indexOf(FILL);
  return bytes.toString('utf8', 0, end < 0 ? SHORT_BYTES : end);
}
