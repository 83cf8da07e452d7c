/** What a writer writes: its calls are numbered from 1. */
export interface Content {
  readonly item: (call: number) => string;
  /** JSON; `due`: when it was to be written, in milliseconds since 1970. */
  readonly text: (call: number, due: number) => string;
}

const BYTES = 200;
const ITEMS = 100;
const MARK = Buffer.from('"at":"');
const STAMP = 17;

/** One of the items that updates go round; their names are of one length, so all frames of a run are. */
export function itemOf(call: number): string {
  return `i${(call % ITEMS) + ITEMS}`;
}

/** An update of 200 bytes that says when it was due, in milliseconds since 1970 with three decimals. */
export function updateText(call: number, due: number): string {
  const start = `{"id":"${itemOf(call)}","at":"${due.toFixed(3).padStart(STAMP, '0')}","pad":"`;
  return `${start}${'x'.repeat(BYTES - start.length - 2)}"}`;
}

/** When the update in this frame was due; undefined if the frame carries none. */
export function sentAt(frame: Buffer): number | undefined {
  const at = frame.indexOf(MARK);
  if (at < 0) return undefined;
  return Number(frame.toString('latin1', at + MARK.length, at + MARK.length + STAMP));
}

export const UPDATES: Content = { item: itemOf, text: updateText };

const NUMBER = Buffer.from('"number":"');
const DIGITS = 9;

/** Messages that stand for themselves: each is an item of its own, of 200 bytes, and says its number, `before` + the number of the call. */
export function numbered(before: number): Content {
  return {
    item: (call) => `m${before + call}`,
    text: (call) => {
      const start = `{"number":"${String(before + call).padStart(DIGITS, '0')}","pad":"`;
      return `${start}${'x'.repeat(BYTES - start.length - 2)}"}`;
    },
  };
}

/** The number of the message in this frame, of the last one if there are several; undefined if there is none. */
export function numberIn(frame: Buffer): number | undefined {
  const at = frame.lastIndexOf(NUMBER);
  if (at < 0) return undefined;
  return wholeNumber(frame, at + NUMBER.length);
}

/** The number whose digits stand there, without making a text of them. */
export function wholeNumber(bytes: Buffer, at: number): number {
  let value = 0;
  for (let digit = bytes[at++] ?? 0; digit >= 0x30 && digit <= 0x39; digit = bytes[at++] ?? 0) value = value * 10 + digit - 0x30;
  return value;
}
