/** Encodes WebSocket frames as a server sends them: unmasked and uncompressed (RFC 6455 §5.2). */

const TEXT = 0x1;
const BINARY = 0x2;
const CONTINUATION = 0x0;
const PING = 0x9;
const PONG = 0xa;
const FIN = 0x80;

function headerBytes(payloadBytes: number): number {
  if (payloadBytes < 126) return 2;
  return payloadBytes < 65_536 ? 4 : 10;
}

function writeHeader(target: Buffer, at: number, first: number, payloadBytes: number): number {
  target[at] = first;
  if (payloadBytes < 126) {
    target[at + 1] = payloadBytes;
    return at + 2;
  }
  if (payloadBytes < 65_536) {
    target[at + 1] = 126;
    target.writeUInt16BE(payloadBytes, at + 2);
    return at + 4;
  }
  target[at + 1] = 127;
  target.writeUIntBE(0, at + 2, 2);
  target.writeUIntBE(payloadBytes, at + 4, 6);
  return at + 10;
}

function encode(first: number, text: string): Buffer {
  const payloadBytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(headerBytes(payloadBytes) + payloadBytes);
  const body = writeHeader(frame, 0, first, payloadBytes);
  frame.write(text, body);
  return frame;
}

/** Encodes a whole text message in one frame. */
export function encodeTextFrame(text: string): Buffer {
  return encode(FIN | TEXT, text);
}

/** Encodes one piece of a text message that is sent in several frames. */
export function encodeTextFragment(text: string, place: { readonly first: boolean; readonly last: boolean }): Buffer {
  return encode((place.last ? FIN : 0) | (place.first ? TEXT : CONTINUATION), text);
}

/** Returns whether a frame ends its message. */
export function isFinalFrame(frame: Buffer): boolean {
  return ((frame[0] ?? 0) & FIN) !== 0;
}

/** Returns the size of `encodeTextFrame` for a text of `payloadBytes` UTF-8 bytes. */
export function textFrameBytes(payloadBytes: number): number {
  return headerBytes(payloadBytes) + payloadBytes;
}

/** Writes one text frame into `target` at `at`. The target must be large enough. Returns the position after the frame. */
export function writeTextFrame(target: Buffer, at: number, text: string, payloadBytes: number): number {
  const body = writeHeader(target, at, FIN | TEXT, payloadBytes);
  // A text with one byte for each unit is ASCII, which this encoding copies faster.
  target.write(text, body, payloadBytes === text.length ? 'latin1' : 'utf8');
  return body + payloadBytes;
}

/** An empty ping. It is shared and must not change. */
export const PING_FRAME: Buffer = Buffer.from([FIN | PING, 0]);

/** A pong without a ping. Peers do not answer it. */
export const PONG_FRAME: Buffer = Buffer.from([FIN | PONG, 0]);

/** Encodes the head of a whole message in one frame. The payload follows it. */
export function encodeFrameHead(payloadBytes: number, binary: boolean): Buffer {
  const head = Buffer.allocUnsafe(headerBytes(payloadBytes));
  writeHeader(head, 0, FIN | (binary ? BINARY : TEXT), payloadBytes);
  return head;
}

/** Encodes a control frame. Its payload has at most 125 bytes. */
export function encodeControlFrame(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.of(FIN | opcode, payload.length), payload]);
}

/** Encodes a ping that its pong repeats. */
export function encodePing(payload: Buffer): Buffer {
  return encodeControlFrame(PING, payload);
}

/** Encodes the pong for a ping with this payload. The result may be shared and must not change. */
export function encodePong(payload: Buffer): Buffer {
  return payload.length === 0 ? PONG_FRAME : encodeControlFrame(PONG, payload);
}
