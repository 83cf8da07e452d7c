import { advanceLayout, type EventLayout, eventIdOf, groupIndexOf, type LayoutState, readMessage, sameStates } from './event-layout.js';
import { framesOf, tailOf } from './wire-frames.js';

/** The state of one event stream between two writes. */
export interface EventState {
  readonly groups: LayoutState;
  /** A message of several frames that has not ended; `undefined` between messages. */
  readonly open: { readonly head: Buffer; readonly tail: string } | undefined;
}

export interface EncodedEvents {
  readonly bytes: Buffer;
  readonly after: EventState;
}

interface Shared extends EncodedEvents {
  readonly layout: EventLayout;
  readonly before: EventState;
}

const DATA = Buffer.from('data: ');
const END = Buffer.from('\n\n');
const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;
/** Bytes of a message that are kept until its end, to know its group. */
const HEAD_BYTES = 4_096;

/**
 * Writes the frames of WebSockets as events of `text/event-stream` (rule RV-53). The readers of one flush share the events: the result is
 * kept until the end of the turn, so that the log of a group is not kept twice.
 */
export class EventEncoder {
  readonly #shared = new Map<Buffer, Shared[]>();

  /** Returns the events for these frames. Readers in the same state get the same buffer. */
  encode(frames: Buffer, layout: EventLayout, before: EventState): EncodedEvents {
    const known = this.#shared.get(frames);
    const same = known?.find((each) => each.layout === layout && isSame(each.before, before));
    if (same !== undefined) return same;
    const encoded = encodeEvents(frames, layout, before);
    if (this.#shared.size === 0) setImmediate(() => this.#shared.clear());
    const shared = { ...encoded, layout, before };
    if (known === undefined) this.#shared.set(frames, [shared]);
    else known.push(shared);
    return shared;
  }
}

function isSame(one: EventState, other: EventState): boolean {
  return one === other || (one.open === undefined && other.open === undefined && sameStates(one.groups, other.groups));
}

function encodeEvents(frames: Buffer, layout: EventLayout, before: EventState): EncodedEvents {
  const pieces: Buffer[] = [];
  let { groups, open } = before;
  for (const { payload, first, last } of framesOf(frames)) {
    if (first) pieces.push(DATA);
    pieces.push(oneLine(payload));
    const head: Buffer = open?.head ?? payload;
    const tail = tailOf(payload, open?.tail ?? '');
    if (!last) {
      open = { head: open?.head ?? Buffer.from(payload.subarray(0, HEAD_BYTES)), tail };
      continue;
    }
    open = undefined;
    const facts = readMessage(head, tail);
    const { states, isWhole } = advanceLayout(layout, groups, groupIndexOf(layout, head, facts), facts);
    groups = states;
    const id = isWhole ? eventIdOf(layout, states) : undefined;
    pieces.push(id === undefined ? END : Buffer.from(`\nid: ${id}\n\n`));
  }
  return { bytes: Buffer.concat(pieces), after: { groups, open } };
}

/** Returns JSON without line breaks. Outside of its texts, a line break is only white space. */
function oneLine(payload: Buffer): Buffer {
  if (!payload.includes(NEWLINE) && !payload.includes(RETURN)) return payload;
  return payload.map((byte) => (byte === NEWLINE || byte === RETURN ? SPACE : byte)) as Buffer;
}
