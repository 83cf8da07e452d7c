import { beforeEach, expect, it } from 'vitest';
import { MessageTurns, type MessageWriter } from '../../src/core/channels/message-turns.js';

const BOUND = 100;

class Writer implements MessageWriter {
  heldBack = false;
  waits = false;

  waitForTurn(): void {
    this.waits = true;
  }

  takeTurn(): void {
    this.waits = false;
  }
}

let writers: Writer[];
let turns: MessageTurns;
let full: number;

beforeEach(() => {
  full = 0;
  writers = Array.from({ length: 4 }, () => new Writer());
  turns = new MessageTurns(
    BOUND,
    () => writers,
    () => full++,
  );
});

/** Returns the places of the writers that are read. */
const read = () => writers.flatMap((writer, place) => (writer.waits ? [] : [place]));
const report = (place: number, bytes: number) => turns.report(writers[place] as Writer, bytes);

/** Brings three writers to the bound. The last of them gets the turn. */
function fill(): void {
  report(0, 30);
  report(1, 30);
  report(2, 40);
}

it('below the bound every writer is read', () => {
  report(0, 60);
  report(1, 39);
  expect([read(), turns.total, full]).toEqual([[0, 1, 2, 3], 99, 0]);
});

it('at the bound one writer is read, also beside those that have begun nothing', () => {
  fill();
  expect([read(), full]).toEqual([[2], 1]);
  const late = new Writer();
  turns.join(late);
  expect(late.waits).toBe(true);
});

it('a turn passes when the message is whole, in the order in which the messages began', () => {
  fill();
  report(2, 70);
  expect(read()).toEqual([2]);
  report(2, 0);
  expect(read()).toEqual([0]);
});

it('a writer that begins its next message at once goes behind the others', () => {
  fill();
  report(2, 90);
  report(2, 20);
  expect(read()).toEqual([0]);
  report(0, 60);
  report(0, 25);
  expect(read()).toEqual([1]);
});

it('a writer whose channel is full passes its turn on, and gets one when it is not', () => {
  fill();
  (writers[2] as Writer).heldBack = true;
  turns.heldBackChanged();
  expect(read()).toEqual([0]);
  for (const writer of writers) writer.heldBack = true;
  turns.heldBackChanged();
  expect(read()).toEqual([]);
  (writers[1] as Writer).heldBack = false;
  turns.heldBackChanged();
  expect(read()).toEqual([1]);
});

it('a writer that has ended passes its turn on', () => {
  report(0, 45);
  report(1, 30);
  report(2, 60);
  report(2, 0);
  expect(read()).toEqual([0]);
});

it('at half of the bound every writer is read again', () => {
  fill();
  report(2, 0);
  expect(read()).toEqual([0]);
  report(0, 0);
  expect([read(), turns.total]).toEqual([[0, 1, 2, 3], 30]);
  report(3, 70);
  expect([read(), full]).toEqual([[3], 2]);
});

it('a turn of the only unfinished message stays with its writer', () => {
  report(0, 120);
  report(0, 60);
  expect(read()).toEqual([0]);
});
