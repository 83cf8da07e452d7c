/** One value of the protocol of Redis: a text, or a list of values. Other values are given as their text. */
export type RespValue = string | null | readonly RespValue[];

const LINE_END = Buffer.from('\r\n');
const TEXTS = '$!=';
const LISTS = '*~>';
const MAPS = '%|';

/** Splits one direction of a connection into its values: commands, or answers and pushed messages. It reads texts as latin1. */
export class RespReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Returns the values that are complete. */
  read(data: Buffer): RespValue[] {
    const bytes = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    const values: RespValue[] = [];
    let at = 0;
    for (let next = valueAt(bytes, at); next !== undefined; next = valueAt(bytes, at)) {
      values.push(next.value);
      at = next.end;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
    return values;
  }
}

/** Returns the value that begins at an offset, and its end; `undefined` while a part of it is missing. */
function valueAt(bytes: Buffer, start: number): { readonly value: RespValue; readonly end: number } | undefined {
  const lineEnd = bytes.indexOf(LINE_END, start);
  if (lineEnd < 0) return undefined;
  const kind = String.fromCharCode(bytes[start] ?? 0);
  const line = bytes.toString('latin1', start + 1, lineEnd);
  const begin = lineEnd + LINE_END.length;
  const isList = LISTS.includes(kind) || MAPS.includes(kind);
  if (!isList && !TEXTS.includes(kind)) return { value: line, end: begin };
  const size = Number(line);
  if (!Number.isInteger(size)) throw new Error(`no size of a value: ${line}`);
  if (size < 0) return { value: null, end: begin };
  if (isList) return listAt(bytes, begin, MAPS.includes(kind) ? size * 2 : size);
  const end = begin + size + LINE_END.length;
  return end > bytes.length ? undefined : { value: bytes.toString('latin1', begin, begin + size), end };
}

function listAt(bytes: Buffer, start: number, count: number): ReturnType<typeof valueAt> {
  const values: RespValue[] = [];
  let end = start;
  while (values.length < count) {
    const next = valueAt(bytes, end);
    if (next === undefined) return undefined;
    values.push(next.value);
    end = next.end;
  }
  return { value: values, end };
}
