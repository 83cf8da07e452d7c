/** One event of `text/event-stream`. */
export interface WireEvent {
  readonly data: string;
  /** Id of the event; undefined when it has none. */
  readonly id: string | undefined;
}

const EVENT_END = '\n\n';

/** Parses a body of `text/event-stream`. It skips comments and `retry` lines, and drops an event that is not complete. */
export class EventReader {
  readonly #onEvent: (event: WireEvent) => void;
  #held: Buffer = Buffer.alloc(0);

  constructor(onEvent: (event: WireEvent) => void) {
    this.#onEvent = onEvent;
  }

  read(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    for (let end = this.#held.indexOf(EVENT_END); end >= 0; end = this.#held.indexOf(EVENT_END)) {
      const event = readEvent(this.#held.toString('utf8', 0, end));
      this.#held = this.#held.subarray(end + EVENT_END.length);
      if (event !== undefined) this.#onEvent(event);
    }
  }
}

/** Reads the lines of one event. Returns undefined when it has no data. */
export function readEvent(block: string): WireEvent | undefined {
  let data: string | undefined;
  let id: string | undefined;
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'data') data = data === undefined ? value : `${data}\n${value}`;
    else if (name === 'id') id = value;
  }
  return data === undefined ? undefined : { data, id };
}
