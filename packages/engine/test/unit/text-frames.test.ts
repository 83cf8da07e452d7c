import type { EventEmitter } from 'node:events';
import { frame, OPCODE } from '@rivulet/testkit/peers/raw-socket';
import { Random } from '@rivulet/testkit/random';
import { expect, test } from 'vitest';
import * as ws from 'ws';
import { takeTextFrames } from '../../src/transport/text-frames.js';
import { mostBesideParser, type Parser, parsePiece } from '../../src/transport/ws-internals.js';

const MOST = 70_000;
/** The types of `ws` leave its parser out. */
const { Receiver } = ws as unknown as { readonly Receiver: new (options: object) => EventEmitter };

/** Everything that a reader of frames reports, in order. */
type Report = readonly string[];

function parserOf(reports: string[]): Parser {
  const receiver = new Receiver({ isServer: true, maxPayload: MOST });
  receiver.on('message', (data: Buffer, isBinary: boolean) => reports.push(`${isBinary ? 'binary' : 'text'} ${data.toString('latin1')}`));
  receiver.on('ping', (data: Buffer) => reports.push(`ping ${data.toString('latin1')}`));
  receiver.on('conclude', (code: number) => reports.push(`close ${code}`));
  return receiver as unknown as Parser;
}

/** Parses the bytes with `ws` alone. */
function parsed(pieces: readonly Buffer[]): Report {
  const reports: string[] = [];
  const parser = parserOf(reports);
  for (const piece of pieces) if (!parseAll(parser, piece, reports)) break;
  return reports;
}

/** Parses the bytes as a connection does. `direct` counts the texts that `ws` did not read. */
function taken(pieces: readonly Buffer[]): { readonly reports: Report; readonly direct: number } {
  const reports: string[] = [];
  const parser = parserOf(reports);
  let direct = 0;
  const receiver = {
    takesFrames: true,
    receivedText(text: string, bytes: number) {
      expect(bytes).toBe(Buffer.byteLength(text));
      reports.push(`text ${Buffer.from(text).toString('latin1')}`);
      direct++;
    },
  };
  for (const piece of pieces) {
    for (let rest = piece; rest.length > 0; ) {
      const most = mostBesideParser(parser);
      if (most !== undefined) rest = rest.subarray(takeTextFrames(rest, most, receiver));
      const next = parsePiece(parser, rest);
      if (next.error !== undefined) {
        reports.push(`error ${codeOf(next.error)}`);
        return { reports, direct };
      }
      rest = next.rest;
    }
  }
  return { reports, direct };
}

function parseAll(parser: Parser, bytes: Buffer, reports: string[]): boolean {
  for (let rest = bytes; rest.length > 0; ) {
    const next = parsePiece(parser, rest);
    if (next.error !== undefined) reports.push(`error ${codeOf(next.error)}`);
    if (next.error !== undefined) return false;
    rest = next.rest;
  }
  return true;
}

function codeOf(error: Error): string {
  return (error as Error & { code: string }).code;
}

/** Returns the bytes in pieces of random size. Both readers unmask in place, so each gets pieces of its own. */
function cut(bytes: Buffer, random: Random): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(random.below(4) === 0 ? 20 : 40_000);
    pieces.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
  return pieces;
}

function randomText(random: Random): string {
  const sizes = [0, 1, 5, 125, 126, 127, 200, 1_000, 65_535, 65_536, MOST, MOST + 1];
  const text = 'x'.repeat(sizes[random.below(random.below(8) === 0 ? sizes.length : 8)] as number);
  return random.below(4) === 0 ? `${text}ä€😀` : text;
}

function randomFrame(random: Random): Buffer {
  switch (random.below(40)) {
    case 0:
      return frame({ payload: Buffer.from([0x61, 0xff]) });
    case 1:
      return frame({ masked: false, payload: 'a' });
    case 2:
      return frame({ reserved: 1 + random.below(7), payload: 'a' });
    case 3:
      return frame({ opcode: OPCODE.close, payload: Buffer.from([3, 232]) });
    case 4:
    case 5:
      return frame({ fin: false, payload: randomText(random) });
    case 6:
    case 7:
      return frame({ opcode: OPCODE.continuation, fin: random.below(2) === 0, payload: randomText(random) });
    case 8:
      return frame({ payload: `${randomText(random)}\ufffd` });
    case 9:
      return frame({ opcode: OPCODE.binary, payload: randomText(random) });
    case 10:
      return frame({ opcode: OPCODE.ping, payload: 'p' });
    default:
      return frame({ payload: randomText(random) });
  }
}

test('texts beside the parser of ws: any bytes in any pieces give the same messages, errors and order', () => {
  const random = new Random(7);
  let direct = 0;
  for (let round = 0; round < 200; round++) {
    const bytes = Buffer.concat(Array.from({ length: 1 + random.below(12) }, () => randomFrame(random)));
    const pieces = cut(bytes, random);
    const expected = parsed(pieces.map((piece) => Buffer.from(piece)));
    const actual = taken(pieces);
    expect(actual.reports).toEqual(expected);
    direct += actual.direct;
  }
  expect(direct).toBeGreaterThan(200);
});

test('a receiver that takes no more frames gets no more', () => {
  const bytes = Buffer.concat([frame({ payload: 'one' }), frame({ payload: 'two' }), frame({ payload: 'three' })]);
  const texts: string[] = [];
  const receiver = {
    get takesFrames() {
      return texts.length < 2;
    },
    receivedText: (text: string) => void texts.push(text),
  };
  const count = takeTextFrames(bytes, MOST, receiver);
  expect(texts).toEqual(['one', 'two']);
  expect(bytes.length - count).toBe(frame({ payload: 'three' }).length);
});
