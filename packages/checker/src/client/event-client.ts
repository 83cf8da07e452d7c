import { type Position, parsePosition } from '@rivulet/protocol';
import type { NewOp } from '../history/op.js';
import { EventReader, type WireEvent } from './event-reader.js';
import { HttpAnswerReader } from './http-answer-reader.js';
import { HttpPlace, type HttpTarget } from './http-place.js';
import type { Send, WatchingClient } from './watching-client.js';
import { decodeWireFrame, type WireFrame } from './wire-frame.js';

export interface EventClientOptions {
  readonly name: string;
  /** Identity and token of the user. */
  readonly who: string;
  /** Several targets share one stream of `/events`. */
  readonly targets: readonly HttpTarget[];
  readonly record: (op: NewOp) => void;
  /** Whether a reconnect names the last id in the query `since`, as a page does that opens a new `EventSource`. */
  readonly sinceInQuery: boolean;
}

interface Followed {
  readonly place: HttpPlace;
  /** Frames of the target since its last id. They count only with the next one. */
  held: WireFrame[];
  /** The position of the target in the last id. */
  position: Position | undefined;
}

/**
 * A reader of event streams, written from rules RV-53 and RV-56. It applies frames when an id stands, and drops frames without one when the
 * connection ends. It resumes by the last id, as a browser does. At each id it records its state, and I7 checks that the state is exactly
 * the one that the id names.
 */
export class EventClient implements WatchingClient {
  readonly #options: EventClientOptions;
  readonly #followed: readonly Followed[];
  #answers: HttpAnswerReader | undefined;
  /** Text of the last id on any connection. */
  #lastId: string | undefined;

  constructor(options: EventClientOptions) {
    const { name, who, targets, record } = options;
    this.#options = options;
    this.#followed = targets.map((target, index) => ({
      place: new HttpPlace(`${name}.${index}`, who, target, record),
      held: [],
      position: undefined,
    }));
  }

  get name(): string {
    return this.#options.name;
  }

  get who(): string {
    return this.#options.who;
  }

  get online(): boolean {
    return this.#answers !== undefined;
  }

  get shown(): number {
    return this.#followed.reduce((sum, { place }) => sum + place.mirror.shown, 0);
  }

  get whole(): boolean {
    return this.#followed.every(
      ({ place, held }) => !place.joined || (held.length === 0 && place.mirror.position !== undefined && !place.mirror.between),
    );
  }

  /** Whether the engine refused the newest request. */
  get refused(): boolean {
    return this.online && this.#followed.some(({ place }) => !place.joined);
  }

  connected(send: Send): void {
    const events = new EventReader((event) => this.#take(event));
    let isStream = false;
    this.#answers = new HttpAnswerReader({
      onHead: (status) => {
        isStream = status === 200;
        if (!isStream) for (const { place } of this.#followed) place.refused();
      },
      onBody: (bytes) => {
        if (isStream) events.read(bytes);
      },
      onEnd: () => {},
    });
    for (const { place, position } of this.#followed) place.begin(position);
    send(this.#request());
  }

  read(bytes: Buffer): void {
    this.#answers?.read(bytes);
  }

  lost(): void {
    if (this.#answers === undefined) return;
    this.#answers = undefined;
    for (const followed of this.#followed) {
      followed.held = [];
      followed.place.end('info');
    }
  }

  recordStates(): void {
    for (const { place, held } of this.#followed)
      if (place.joined && held.length === 0 && !place.mirror.between) place.mirror.recordState();
  }

  holds(item: string, values: ReadonlyMap<string, string>): boolean {
    return this.#followed.every(({ place }) => place.holds(item, values));
  }

  #request(): string {
    const { who, sinceInQuery } = this.#options;
    const paths = this.#followed.map(({ place }) => place.path);
    const lastId = this.#lastId;
    const since = sinceInQuery && lastId !== undefined ? `since=${encodeURIComponent(lastId)}` : '';
    const query = paths.length === 1 ? since : [...paths.map((path) => `group=${path}`), ...(since === '' ? [] : [since])].join('&');
    const target = `${paths.length === 1 ? `/stream/${paths[0]}` : '/events'}${query === '' ? '' : `?${query}`}`;
    const header = !sinceInQuery && lastId !== undefined ? `last-event-id: ${lastId}\r\n` : '';
    return `GET ${target} HTTP/1.1\r\nhost: sim\r\naccept: text/event-stream\r\nauthorization: Bearer ${who}\r\n${header}\r\n`;
  }

  #take({ data, id }: WireEvent): void {
    const frame = decodeWireFrame(data);
    const followed = this.#of(frame);
    if (followed !== undefined) {
      // A control frame changes no state, but it keeps its place behind the frames before it.
      if (followed.held.length === 0 && isControl(frame)) apply(followed.place, frame);
      else followed.held.push(frame);
    }
    if (id === undefined) return;
    this.#lastId = id;
    const positions = this.#positionsOf(id);
    for (const [index, each] of this.#followed.entries()) {
      const before = each.position;
      each.position = positions[index];
      if (each === followed) for (const held of each.held.splice(0)) apply(each.place, held);
      const isMoved = each.position?.epoch !== before?.epoch || each.position?.offset !== before?.offset;
      if (each.position !== undefined && (isMoved || each === followed)) each.place.mirror.recordStateAt(each.position);
    }
  }

  /** Reads an id: a position, or a list of positions with empty places. */
  #positionsOf(id: string): readonly (Position | undefined)[] {
    if (this.#followed.length === 1) return [parsePosition(id)];
    return id.split(',').map((part) => (part === '' ? undefined : parsePosition(decodeURIComponent(part))));
  }

  #of(frame: WireFrame): Followed | undefined {
    if (frame.kind === 'other' || frame.kind === 'error') return undefined;
    if ('subscription' in frame) return this.#followed.find(({ place }) => place.path === frame.subscription);
    return this.#followed.find(({ place }) => place.target.group === frame.group);
  }
}

function isControl({ kind }: WireFrame): boolean {
  return kind !== 'change' && kind !== 'sync';
}

/** Applies one frame of the target. */
export function apply({ mirror }: HttpPlace, frame: WireFrame): void {
  switch (frame.kind) {
    case 'change':
      mirror.change(frame);
      return;
    case 'sync':
      mirror.sync(frame);
      return;
    case 'syncing':
      mirror.syncing();
      return;
    case 'resumed':
      mirror.resumed(frame);
      return;
    case 'caught_up':
      mirror.caughtUp(frame.epoch, frame.offset);
      return;
    case 'gap':
      mirror.gap(frame.after, frame.through);
      return;
    case 'stale':
    case 'unauthorized':
    case 'error':
    case 'other':
      return;
    default:
      return frame satisfies never;
  }
}
