import { expect, it } from 'vitest';
import { FrameSkipper } from '../../src/transport/frame-skipper.js';

const MASK = Buffer.from([1, 2, 3, 4]);

function frame(opcode: number, payload: Buffer, { fin = true, masked = true, reserved = 0, claimed = payload.length } = {}): Buffer {
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  const bit = masked ? 0x80 : 0;
  let head = Buffer.from([first, bit | claimed]);
  if (claimed >= 65_536) {
    head = Buffer.alloc(10);
    head.set([first, bit | 127]);
    head.writeBigUInt64BE(BigInt(claimed), 2);
  } else if (claimed >= 126) head = Buffer.from([first, bit | 126, claimed >> 8, claimed & 0xff]);
  const body = Buffer.from(payload.map((byte, at) => byte ^ (MASK[at % 4] as number)));
  return Buffer.concat([head, MASK, body]);
}

function skipper(most = 262_144) {
  const events: string[] = [];
  const made = new FrameSkipper(most, {
    onPing: (payload) => void events.push(`ping ${payload.toString()}`),
    onClose: (code) => void events.push(`close ${code}`),
    onBroken: (reason) => void events.push(reason),
  });
  return { made, events };
}

const close = (code: number) => Buffer.from([code >> 8, code & 0xff, 0x62]);

it('skips messages of every length, whole or in pieces, and answers what is to be answered', () => {
  const bytes = Buffer.concat([
    frame(1, Buffer.alloc(0)),
    frame(2, Buffer.alloc(125)),
    frame(1, Buffer.alloc(126), { fin: false }),
    frame(9, Buffer.from('between')),
    frame(0, Buffer.alloc(70_000)),
    frame(10, Buffer.from('pong')),
    frame(9, Buffer.alloc(125, 'p')),
    frame(8, close(1001)),
    frame(9, Buffer.from('after')),
  ]);
  for (const size of [1, 2, 7, 1_000, bytes.length]) {
    const { made, events } = skipper();
    for (let at = 0; at < bytes.length; at += size) made.push(bytes.subarray(at, at + size));
    expect(events).toEqual(['ping between', `ping ${'p'.repeat(125)}`, 'close 1001']);
  }
});

it.each<[string, Buffer, string]>([
  ['a frame without a mask', frame(1, Buffer.alloc(1), { masked: false }), 'protocol'],
  ['a reserved bit', frame(1, Buffer.alloc(1), { reserved: 4 }), 'protocol'],
  ['an unknown opcode', frame(3, Buffer.alloc(1)), 'protocol'],
  ['a control frame in parts', frame(9, Buffer.alloc(1), { fin: false }), 'protocol'],
  ['a long ping', frame(9, Buffer.alloc(126)), 'protocol'],
  ['a large frame', frame(1, Buffer.alloc(0), { claimed: 262_145 }), 'too_large'],
  ['a huge frame', frame(1, Buffer.alloc(0), { claimed: Number.MAX_SAFE_INTEGER }), 'too_large'],
])('ends at %s', (_what, bytes, reason) => {
  const { made, events } = skipper();
  made.push(Buffer.concat([bytes, frame(9, Buffer.from('after'))]));
  expect(events).toEqual([reason]);
});

it('a close frame without a code is an ordinary one, half a code is none', () => {
  const without = skipper();
  without.made.push(frame(8, Buffer.alloc(0)));
  const half = skipper();
  half.made.push(frame(8, Buffer.alloc(1)));
  expect([...without.events, ...half.events]).toEqual(['close 1000', 'close 0']);
});

it('a frame is unfinished from its first byte to its last', () => {
  const { made } = skipper();
  const bytes = frame(1, Buffer.alloc(10));
  made.push(bytes.subarray(0, 1));
  const begun = made.unfinished;
  made.push(bytes.subarray(1, 12));
  expect([begun !== undefined, made.unfinished === begun]).toEqual([true, true]);
  made.push(bytes.subarray(12));
  expect(made.unfinished).toBeUndefined();
});
