import { isJsonObject, type JsonObject } from '@rivulet/protocol';
import { readEvent } from '../client/event-reader.js';
import type { MangleBytes } from '../simulation/http/sim-socket.js';
import { type Bug, bug, onceIn } from './bug.js';

/** One event on its way to a reader of one connection. */
interface PassingEvent {
  readonly frame: JsonObject;
  readonly id: string | undefined;
  /** Epoch of the group, from the newest `sync` or `resumed`. */
  readonly epoch: string;
  /** Whether the ids of the stream are lists of positions. */
  readonly isList: boolean;
}

/** Returns the id that the event gets instead of its own; undefined for none. */
type AlterId = (event: PassingEvent) => string | undefined;

/** Alters the ids of event streams. Comments and answers of other kinds pass unchanged. */
function onIds(make: () => AlterId): () => { httpBytes: () => MangleBytes } {
  return () => ({
    httpBytes: () => {
      const alter = make();
      let epoch = '';
      let isList = false;
      return (bytes) => {
        const text = bytes.toString();
        // A large `sync` comes in pieces that are no whole events.
        if (!text.startsWith('data: ') || !text.endsWith('\n\n')) return bytes;
        const blocks = text.slice(0, -2).split('\n\n');
        return Buffer.from(
          blocks
            .map((block) => {
              const event = readEvent(block);
              if (event === undefined) return `${block}\n\n`;
              const frame: unknown = JSON.parse(event.data);
              if (!isJsonObject(frame)) return `${block}\n\n`;
              epoch = epochOf(frame) ?? epoch;
              isList ||= event.id?.includes(',') === true;
              const id = alter({ frame, id: event.id, epoch, isList });
              return `data: ${event.data}\n${id === undefined ? '' : `id: ${id}\n`}\n`;
            })
            .join(''),
        );
      };
    },
  });
}

function epochOf({ epoch, data }: JsonObject): string | undefined {
  if (typeof epoch === 'string') return epoch;
  return isJsonObject(data) && typeof data.epoch === 'string' ? data.epoch : undefined;
}

/** Returns the offsets of a change within a batch; undefined for the last one, and for other frames. */
function insideBatch({ offset, through }: JsonObject): { readonly offset: number; readonly through: number } | undefined {
  return typeof offset === 'number' && typeof through === 'number' && offset < through ? { offset, through } : undefined;
}

function isSync({ event }: JsonObject): boolean {
  return isJsonObject(event) && event.type === 'sync';
}

/** Alters the position of one answer in three. The length stays, because the head of the answer states it. */
function positionTooFar(): MangleBytes {
  const strikes = onceIn(3);
  return (bytes) => {
    const text = bytes.toString('latin1');
    const place = /("position":"[^"]*:)(\d+)("[,}])/.exec(text);
    const [whole = '', before = '', digits = '', after = ''] = place ?? [];
    const further = String(Number(digits) + 1);
    if (place === null || further.length !== digits.length || !text.includes('"changes":[{') || !strikes()) return bytes;
    return Buffer.from(text.replace(whole, `${before}${further}${after}`), 'latin1');
  };
}

export const EVENT_BUGS: readonly Bug[] = [
  bug(
    'id-before-the-batch',
    'I7',
    'the first frame of a batch has the id of its end',
    onIds(() => ({ frame, id, epoch, isList }) => {
      const batch = insideBatch(frame);
      return batch === undefined || epoch === '' || isList ? id : `${epoch}:${batch.through}`;
    }),
  ),
  bug(
    'id-inside-a-batch',
    'I7',
    'the first of two changes of a batch has an id',
    onIds(() => ({ frame, id, epoch, isList }) => {
      const batch = insideBatch(frame);
      return batch === undefined || epoch === '' || isList ? id : `${epoch}:${batch.offset}`;
    }),
  ),
  bug(
    'id-missing-on-sync',
    'I8',
    'a sync has no id',
    onIds(
      () =>
        ({ frame, id }) =>
          isSync(frame) ? undefined : id,
    ),
  ),
  bug(
    'id-missing-on-change',
    'I8',
    'some live changes have no id',
    onIds(() => {
      const strikes = onceIn(3);
      return ({ frame, id }) => (id !== undefined && frame.type === 'stream' && !isSync(frame) && strikes() ? undefined : id);
    }),
  ),
  bug(
    'id-of-another-group',
    'I7',
    'an id of several groups has their positions in another order',
    onIds(() => ({ id }) => {
      const [first, ...others] = id?.split(',') ?? [];
      return others.length === 0 || first === undefined ? id : [...others, first].join(',');
    }),
  ),
  bug(
    'id-at-resumed',
    'I7',
    'the frame that begins missed changes has the id of their end',
    onIds(() => ({ frame, id }) => {
      const { type, data } = frame;
      if (type !== 'resumed' || !isJsonObject(data)) return id;
      return `${String(data.epoch)}:${String(data.to)}`;
    }),
  ),
  bug('poll-position-too-far', 'I7', 'the position of an answer is beyond its changes', () => ({ httpBytes: positionTooFar })),
];
