import type { Random } from '@rivulet/testkit/random';

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const FIN = 0x80;
const MASKED = 0x80;
/** The mask consists of zeros, which is valid and does not change the payload. */
const MASK_BYTES = 4;

/** Returns a whole frame of a client. `first` is its first byte, with flags and opcode. */
function frame(payload: string | Buffer, first: number = FIN | OPCODE.text): Buffer {
  const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length;
  const at = headBytes(length);
  const bytes = Buffer.allocUnsafe(at + length);
  writeHead(bytes, first, length);
  if (typeof payload === 'string') bytes.write(payload, at);
  else payload.copy(bytes, at);
  return bytes;
}

function headBytes(length: number): number {
  return (length < 126 ? 2 : length < 65_536 ? 4 : 10) + MASK_BYTES;
}

function writeHead(bytes: Buffer, first: number, length: number): void {
  bytes[0] = first;
  if (length < 126) bytes[1] = MASKED | length;
  else if (length < 65_536) {
    bytes[1] = MASKED | 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = MASKED | 127;
    bytes.writeBigUInt64BE(BigInt(length), 2);
  }
  bytes.fill(0, headBytes(length) - MASK_BYTES, headBytes(length));
}

/** Returns a valid message in one frame, or in fragments that may have pings between them. */
export function message(payload: string | Buffer, random: Random, binary = false): Buffer {
  const opcode = binary ? OPCODE.binary : OPCODE.text;
  if (random.chance(0.95)) return frame(payload, FIN | opcode);
  const bytes = Buffer.from(payload);
  const cut = random.below(bytes.length + 1);
  return Buffer.concat([
    frame(bytes.subarray(0, cut), opcode),
    ...(random.chance(0.5) ? [frame(randomBytes(random, 125), FIN | OPCODE.ping)] : []),
    frame(bytes.subarray(cut), FIN | OPCODE.continuation),
  ]);
}

/** Returns bytes that break RFC 6455 or are very likely to. */
export function broken(text: string, random: Random): Buffer {
  const bytes = frame(text);
  switch (random.below(9)) {
    case 0:
      return randomBytes(random, 300);
    case 1:
      return frame(Buffer.concat([Buffer.from(text), Buffer.from([0xff, 0xed, 0xa0, 0x80])]));
    case 2:
      return frame(text, FIN | (random.between(1, 7) << 4) | OPCODE.text);
    case 3:
      return frame(randomBytes(random, 130), (random.chance(0.5) ? FIN : 0) | random.below(16));
    case 4:
      return closeFrame(random);
    case 5:
      return Buffer.concat([frame('{', OPCODE.text), frame(text)]);
    case 6:
      // The header announces a payload that never follows.
      return Buffer.from([FIN | OPCODE.text, MASKED | 127, random.below(256), 0, 0, 0, random.below(256), 0, 0, 1, 0, 0, 0, 0]);
    case 7:
      return Buffer.concat(Array.from({ length: random.between(100, 200) }, () => frame('', OPCODE.continuation)));
    default:
      for (let flips = random.between(1, 4); flips > 0; flips--) {
        const at = random.below(Math.min(bytes.length, 14));
        bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      }
      return bytes;
  }
}

const CLOSE_CODES = [0, 999, 1000, 1001, 1005, 1006, 1015, 2_999, 3_000, 4_999, 65_535];

function closeFrame(random: Random): Buffer {
  const code = Buffer.alloc(2);
  code.writeUInt16BE(random.pick(CLOSE_CODES));
  return frame(Buffer.concat([code, randomBytes(random, 100)]), FIN | OPCODE.close);
}

export function pingFrame(payload: string): Buffer {
  return frame(payload, FIN | OPCODE.ping);
}

export function randomBytes(random: Random, most: number): Buffer {
  const bytes = Buffer.allocUnsafe(random.below(most + 1));
  for (let at = 0; at < bytes.length; at++) bytes[at] = random.below(256);
  return bytes;
}
