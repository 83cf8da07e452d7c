/** The data that a writer writes. Its calls are numbered from 1. */
export interface Content {
  readonly item: (call: number) => string;
  /** Returns the data as JSON. `due` is the planned time of the write, in Unix milliseconds. */
  readonly text: (call: number, due: number) => string;
}

const BYTES = 200;
const ITEMS = 100;
const MARK = Buffer.from('"at":"');
const STAMP = 17;

/** Returns one of the items that updates change in turn. All names have one length, so all frames of a run have one length too. */
export function itemOf(call: number): string {
  return `i${(call % ITEMS) + ITEMS}`;
}

/** Returns an update of 200 bytes with its planned time, in Unix milliseconds with three decimals. */
export function updateText(call: number, due: number): string {
  const start = `{"id":"${itemOf(call)}","at":"${due.toFixed(3).padStart(STAMP, '0')}","pad":"`;
  return `${start}${'x'.repeat(BYTES - start.length - 2)}"}`;
}

/** Returns the planned time of the update in this frame; `undefined` if the frame has none. */
export function sentAt(frame: Buffer): number | undefined {
  const at = frame.indexOf(MARK);
  if (at < 0) return undefined;
  return Number(frame.toString('latin1', at + MARK.length, at + MARK.length + STAMP));
}

export const UPDATES: Content = { item: itemOf, text: updateText };

const NUMBER = Buffer.from('"number":"');
const DIGITS = 9;

/** Returns messages of 200 bytes, each with its own item. A message contains its number, which is `before` plus the number of the call. */
export function numbered(before: number): Content {
  return {
    item: (call) => `m${before + call}`,
    text: (call) => {
      const start = `{"number":"${String(before + call).padStart(DIGITS, '0')}","pad":"`;
      return `${start}${'x'.repeat(BYTES - start.length - 2)}"}`;
    },
  };
}

/** Returns the number of the last message in this frame; `undefined` if there is none. */
export function numberIn(frame: Buffer): number | undefined {
  const at = frame.lastIndexOf(NUMBER);
  if (at < 0) return undefined;
  return wholeNumber(frame, at + NUMBER.length);
}

/** Reads a number from its digits without allocating a string. */
export function wholeNumber(bytes: Buffer, at: number): number {
  let value = 0;
  for (let digit = bytes[at++] ?? 0; digit >= 0x30 && digit <= 0x39; digit = bytes[at++] ?? 0) value = value * 10 + digit - 0x30;
  return value;
}
