import { isJsonObject, type JsonObject } from '@rivulet/protocol';
import { type Bug, bug, onceIn } from './bug.js';
import { type Mangle, MangledConnection } from './mangled-connection.js';

/** Alters the messages between a stream session and its socket. */
function onStreams(
  make: () => Mangle,
): () => { connection: (connection: ConstructorParameters<typeof MangledConnection>[0]) => MangledConnection } {
  return () => ({ connection: (connection) => new MangledConnection(connection, make()) });
}

/** Alters the messages between a worker session and its socket. */
function onWorkers(
  make: () => Mangle,
): () => { workerConnection: (connection: ConstructorParameters<typeof MangledConnection>[0]) => MangledConnection } {
  return () => ({ workerConnection: (connection) => new MangledConnection(connection, make()) });
}

function kindOf(frame: unknown): string {
  if (!isJsonObject(frame)) return '';
  if (frame.type !== 'stream') return String(frame.type);
  return isJsonObject(frame.event) ? String(frame.event.type) : '';
}

const CHANGES = new Set(['create', 'update', 'delete', 'event']);

/** Alters one in `every` frames of these kinds. */
function altering(kinds: ReadonlySet<string>, every: number, alter: (frame: JsonObject) => unknown): () => Mangle {
  return () => {
    const strikes = onceIn(every);
    return (text) => {
      const frame: unknown = JSON.parse(text);
      if (!isJsonObject(frame) || !kinds.has(kindOf(frame)) || !strikes()) return [text];
      const altered = alter(frame);
      return altered === undefined ? [] : [JSON.stringify(altered)];
    };
  };
}

/** Holds one frame back from time to time, and sends it after the next one. */
function swapping(): Mangle {
  const strikes = onceIn(7);
  let held: string | undefined;
  return (text) => {
    if (!CHANGES.has(kindOf(JSON.parse(text)))) return [text];
    if (held !== undefined) {
      const late = held;
      held = undefined;
      return [text, late];
    }
    if (!strikes()) return [text];
    held = text;
    return [];
  };
}

function withValue(frame: JsonObject, v: string): unknown {
  return isJsonObject(frame.event) && isJsonObject(frame.event.data)
    ? { ...frame, event: { ...frame.event, data: { ...frame.event.data, v } } }
    : frame;
}

/** Sends some messages of workers twice. */
function doubling(type: string): () => Mangle {
  return () => {
    const strikes = onceIn(2);
    return (text) => (kindOf(JSON.parse(text)) === type && strikes() ? [text, text] : [text]);
  };
}

export const WIRE_BUGS: readonly Bug[] = [
  bug('frame-lost', 'I4', 'a frame is lost on its way to the socket', onStreams(altering(CHANGES, 12, () => undefined))),
  bug('frames-swapped', 'I5', 'two frames change places', onStreams(swapping)),
  bug(
    'value-of-another',
    'I2',
    'one subscriber is shown another value',
    onStreams(altering(new Set(['update', 'create']), 8, (frame) => withValue(frame, 'w9.0'))),
  ),
  bug('gap-not-announced', 'I4', 'skipped events are not announced', onStreams(altering(new Set(['gap']), 1, () => undefined))),
  bug(
    'caught-up-too-far',
    'I4',
    'compacted changes are said to reach further than they do',
    onStreams(
      altering(new Set(['caught_up']), 2, (frame) =>
        isJsonObject(frame.data) ? { ...frame, data: { ...frame.data, offset: Number(frame.data.offset) + 1 } } : frame,
      ),
    ),
  ),
  bug(
    'resumed-too-far',
    'I4',
    'a reader is resumed from further on than it stood',
    onStreams(
      altering(new Set(['resumed']), 2, (frame) =>
        isJsonObject(frame.data) ? { ...frame, data: { ...frame.data, from: Number(frame.data.from) + 1 } } : frame,
      ),
    ),
  ),
  bug('two-answers', 'I12', 'one call is answered twice', onWorkers(doubling('invocationresult'))),
  bug('runs-twice', 'I12', 'one call is run twice', onWorkers(doubling('invokefunction'))),
  bug(
    'answer-mixed-up',
    'I12',
    'a call gets the result of another',
    onWorkers(() => {
      const strikes = onceIn(2);
      return (text) => {
        const frame: unknown = JSON.parse(text);
        if (!isJsonObject(frame) || typeof frame.result !== 'string' || !strikes()) return [text];
        return [JSON.stringify({ ...frame, result: 'r.another' })];
      };
    }),
  ),
];
