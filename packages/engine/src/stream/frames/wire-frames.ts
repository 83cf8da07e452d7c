import { type ControlFrame, isJsonObject, parseJson } from '@rivulet/protocol';

/** One frame that the engine has encoded for a WebSocket. */
export interface WireFrame {
  readonly payload: Buffer;
  /** Whether a message begins with this frame. */
  readonly first: boolean;
  /** Whether the message ends with this frame. */
  readonly last: boolean;
}

/** The position that a message states for its reader. */
export type MessageFacts =
  | { readonly kind: 'control'; readonly frame: ControlFrame }
  /** `last`: the whole `sync` was sent with this message. */
  | { readonly kind: 'sync'; readonly epoch: string; readonly offset: number; readonly last: boolean; readonly reason: string | undefined }
  /** `through`: the last offset of the batch; the own offset of a change that belongs to no batch. */
  | { readonly kind: 'change'; readonly offset: number; readonly through: number }
  | { readonly kind: 'other' };

/** Bytes at the end of a message that can hold its position: an epoch of 256 bytes, escaped, and the keys around it. */
const TAIL_BYTES = 2_048;
const STREAM_HEAD = Buffer.from('{"type":"stream",');
const OFFSET = ',"offset":';
const CHANGE_TAIL = /^,"offset":(\d+)(?:,"through":(\d+))?\}$/;
const SYNC_TAIL = /^,"offset":(\d+),"epoch":("(?:[^"\\]|\\.)*")(?:,"reason":"(\w+)")?\}$/;
const OTHER: MessageFacts = { kind: 'other' };

/** Yields the frames of a buffer that the engine has encoded. It holds whole frames, unmasked and uncompressed. */
export function* framesOf(frames: Buffer): Iterable<WireFrame> {
  for (let at = 0; at + 2 <= frames.length; ) {
    const head = frames[at] as number;
    const short = frames[at + 1] as number;
    const begin = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    const bytes = short < 126 ? short : short === 126 ? frames.readUInt16BE(at + 2) : frames.readUIntBE(at + 4, 6);
    yield { payload: frames.subarray(begin, begin + bytes), first: (head & 0x0f) !== 0, last: (head & 0x80) !== 0 };
    at = begin + bytes;
  }
}

/** Returns the end of a message, in which its position is. `before`: the end of the frames before, for a message in several frames. */
export function tailOf(payload: Buffer, before: string): string {
  const tail = payload.toString('latin1', Math.max(0, payload.length - TAIL_BYTES));
  return before === '' ? tail : (before + tail).slice(-TAIL_BYTES);
}

/** Returns whether a message is a frame of a group, and no control frame. `payload`: its first frame. */
export function isOfGroup(payload: Buffer): boolean {
  return payload.subarray(0, STREAM_HEAD.length).equals(STREAM_HEAD);
}

/** Reads the end of a frame of a group. The keys after `event` are those of `encode-stream.ts`, and no peer writes them. */
export function factsOf(tail: string): MessageFacts {
  // A text has no such sequence, because quotes within texts are escaped.
  const at = tail.lastIndexOf(OFFSET);
  if (at < 0) return OTHER;
  const rest = tail.slice(at);
  const change = CHANGE_TAIL.exec(rest);
  if (change !== null) {
    const offset = Number(change[1]);
    return { kind: 'change', offset, through: change[2] === undefined ? offset : Number(change[2]) };
  }
  const sync = SYNC_TAIL.exec(rest);
  if (sync === null) return OTHER;
  // The tail was read as Latin-1, and the epoch is UTF-8.
  const epoch: unknown = parseJson(Buffer.from(sync[2] ?? '', 'latin1').toString());
  if (typeof epoch !== 'string') return OTHER;
  return { kind: 'sync', epoch, offset: Number(sync[1]), last: !tail.slice(0, at).endsWith(',"last":false'), reason: sync[3] };
}

/** Reads a control frame. The engine has encoded it. */
export function controlOf(payload: Buffer): MessageFacts {
  const frame: unknown = parseJson(payload.toString());
  return isJsonObject(frame) ? { kind: 'control', frame: frame as unknown as ControlFrame } : OTHER;
}
