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
