import { framesOf, type MessageFacts, tailOf } from '../../frames/wire-frames.js';
import { advanceLayout, type EventLayout, eventIdOf, groupIndexOf, type LayoutState, readMessage } from './event-layout.js';

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

/** The events of one buffer for the readers of one layout, by the state object of a reader, and by the text of its state. */
type SharedEvents = Map<EventState | string, EncodedEvents>;

/** One message of a buffer, as all readers share it. */
interface Message {
  /** The event without its end. */
  readonly event: readonly Buffer[];
  /** First frame of the message. */
  readonly head: Buffer;
  readonly facts: MessageFacts;
}

/** The messages of a buffer, and the state of a message that does not end within it. */
interface Messages {
  readonly whole: readonly Message[];
  readonly rest: readonly Buffer[];
  readonly open: EventState['open'];
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
 * kept until the end of the turn, so that the log of a group is not kept twice. A reader costs a look-up and never a search, because
 * thousands of readers may have layouts or states of their own.
 */
export class EventEncoder {
  readonly #shared = new Map<Buffer, Map<EventLayout, SharedEvents>>();
  readonly #messages = new Map<Buffer, Messages>();

  /** Returns the events for these frames. Readers in the same state get the same buffer. */
  encode(frames: Buffer, layout: EventLayout, before: EventState): EncodedEvents {
    const shared = this.#of(frames, layout);
    const known = shared.get(before);
    if (known !== undefined) return known;
    if (before.open !== undefined) {
      const encoded = encodeEvents(readMessages(frames, before.open), layout, before);
      shared.set(before, encoded);
      return encoded;
    }
    const exact = textOf(before.groups, true);
    // The events of a single group do not depend on the offset before them, and neither does a state that they move.
    const loose = layout.isList ? exact : textOf(before.groups, false);
    const same = shared.get(exact) ?? shared.get(loose);
    const encoded = same ?? encodeEvents(this.#messagesOf(frames), layout, before);
    shared.set(before, encoded);
    if (same === undefined) shared.set(encoded.after.groups === before.groups ? exact : loose, encoded);
    return encoded;
  }

  #of(frames: Buffer, layout: EventLayout): SharedEvents {
    let layouts = this.#shared.get(frames);
    if (layouts === undefined) {
      if (this.#shared.size === 0) setImmediate(() => this.#clear());
      layouts = new Map();
      this.#shared.set(frames, layouts);
    }
    let shared = layouts.get(layout);
    if (shared === undefined) {
      shared = new Map();
      layouts.set(layout, shared);
    }
    return shared;
  }

  #messagesOf(frames: Buffer): Messages {
    const messages = this.#messages.get(frames) ?? readMessages(frames, undefined);
    this.#messages.set(frames, messages);
    return messages;
  }

  #clear(): void {
    this.#shared.clear();
    this.#messages.clear();
  }
}

/** Returns a text of the states of a reader, with or without the offsets. */
function textOf(groups: LayoutState, withOffsets: boolean): string {
  return groups
    .map(({ position, isChanging }) => {
      if (position === undefined) return isChanging;
      return `${isChanging} ${withOffsets ? position.offset : ''} ${JSON.stringify(position.epoch)}`;
    })
    .join();
}

/** Reads the messages of a buffer. `before`: the message that has not ended before it. */
function readMessages(frames: Buffer, before: EventState['open']): Messages {
  const whole: Message[] = [];
  let pieces: Buffer[] = [];
  let open = before;
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
    whole.push({ event: pieces, head, facts: readMessage(head, tail) });
    pieces = [];
  }
  return { whole, rest: pieces, open };
}

function encodeEvents({ whole, rest, open }: Messages, layout: EventLayout, before: EventState): EncodedEvents {
  const pieces: Buffer[] = [];
  let { groups } = before;
  for (const { event, head, facts } of whole) {
    const { states, isWhole } = advanceLayout(layout, groups, groupIndexOf(layout, head, facts), facts);
    groups = states;
    const id = isWhole ? eventIdOf(layout, states) : undefined;
    pieces.push(...event, id === undefined ? END : Buffer.from(`\nid: ${id}\n\n`));
  }
  return { bytes: Buffer.concat([...pieces, ...rest]), after: { groups, open } };
}

/** Returns JSON without line breaks. Outside of its texts, a line break is only white space. */
function oneLine(payload: Buffer): Buffer {
  if (!payload.includes(NEWLINE) && !payload.includes(RETURN)) return payload;
  return payload.map((byte) => (byte === NEWLINE || byte === RETURN ? SPACE : byte)) as Buffer;
}
