import { isJsonObject, parseJson } from '@rivulet/protocol';
import type { LogEntry } from '../../stream/fanout/group-log.js';
import { framesOf } from '../../stream/frames/wire-frames.js';
import type { Row } from '../page.js';

/** Bytes of a frame up to which its value is shown as a whole. */
const WHOLE_BYTES = 4_096;
/** Bytes at the start of a larger frame that are read. The names in it have fewer, also when they are escaped. */
const HEAD_BYTES = 8_192;
/** UTF-16 code units of a larger value that are shown. */
const SHOWN_CHARS = 1_024;

// The keys of `encode-stream.ts` before the value: first the time and the names, then the type of the change, and that of an event.
const NAMES =
  /^\{"type":"stream","timestamp":(\d+),"streamName":"(?:[^"\\]|\\.)*","groupId":"(?:[^"\\]|\\.)*","id":(?:null|"(?:[^"\\]|\\.)*"),/;
const CHANGE = /^"event":\{"type":"(\w+)",(?:"event":\{"type":("(?:[^"\\]|\\.)*"),)?"data":/;

/** Returns the row of a change in a log. A large value is cut, and then the row has `shown` in place of `data`. */
export function logRow({ offset, item, frame }: LogEntry): Row {
  const [wire] = framesOf(frame);
  const payload = wire?.payload ?? frame;
  const isWhole = payload.length <= WHOLE_BYTES;
  const text = payload.toString('utf8', 0, isWhole ? payload.length : HEAD_BYTES);
  const [names = '', at] = NAMES.exec(text) ?? [];
  const rest = text.slice(names.length);
  const [change = '', kind, type] = CHANGE.exec(rest) ?? [];
  const eventType: unknown = type === undefined ? undefined : parseJson(type);
  const row = {
    offset,
    at_ms: Number(at ?? 0),
    kind: kind ?? null,
    item: item ?? null,
    bytes: payload.length,
    ...(typeof eventType === 'string' ? { event_type: eventType } : {}),
  };
  return isWhole ? { ...row, data: dataOf(parseJson(text)) } : { ...row, shown: rest.slice(change.length, change.length + SHOWN_CHARS) };
}

function dataOf(frame: unknown): unknown {
  const event = isJsonObject(frame) ? frame.event : undefined;
  if (!isJsonObject(event)) return null;
  return (event.type === 'event' && isJsonObject(event.event) ? event.event.data : event.data) ?? null;
}
