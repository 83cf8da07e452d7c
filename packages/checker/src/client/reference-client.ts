import { formatPosition } from '@rivulet/protocol';
import type { NewOp } from '../history/op.js';
import { FrameReader } from './frame-reader.js';
import { Mirror } from './mirror.js';
import type { Send, WatchingClient } from './watching-client.js';
import { decodeWireFrame, type WireFrame } from './wire-frame.js';

/** One target that a client watches over all its connections. */
export interface Watched {
  readonly group: string;
  readonly item?: string;
  /** Whether the client is position-aware. Otherwise it begins with a new state on each connection. */
  readonly positions: boolean;
}

interface Place {
  readonly watched: Watched;
  readonly mirror: Mirror;
  /** Whether the subscription was joined on this connection and has not ended. */
  joined: boolean;
  /** Subscription id of the newest join. */
  subscription: string;
}

/**
 * A stream client for histories, written from the rules of the protocol. It applies frames, resumes from its positions and records
 * everything.
 * The caller owns the socket and reports `connected`, `received` and `lost`.
 */
export class ReferenceClient implements WatchingClient {
  readonly name: string;
  readonly who: string;
  readonly #record: (op: NewOp) => void;
  readonly #places: Place[];
  #send: Send | undefined;
  #frames = new FrameReader(() => {});
  #joins = 0;

  constructor(name: string, who: string, watched: readonly Watched[], record: (op: NewOp) => void) {
    this.name = name;
    this.who = who;
    this.#record = record;
    this.#places = watched.map((each, index) => ({
      watched: each,
      mirror: new Mirror({ p: `${name}.${index}`, group: each.group, item: each.item, positions: each.positions, record }),
      joined: false,
      subscription: '',
    }));
  }

  get online(): boolean {
    return this.#send !== undefined;
  }

  /** Number of changes that the application has seen. */
  get shown(): number {
    return this.#places.reduce((sum, { mirror }) => sum + mirror.shown, 0);
  }

  /** Whether every target has a complete state. */
  get whole(): boolean {
    return this.#places.every(({ joined, mirror }) => !joined || (mirror.position !== undefined && !mirror.between));
  }

  connected(send: Send): void {
    this.#send = send;
    this.#frames = new FrameReader((text) => this.received(text));
    for (let index = 0; index < this.#places.length; index++) this.join(index);
  }

  /** Sends a join for one target, with its position if it has one. */
  join(index: number): void {
    const place = this.#places[index];
    if (place === undefined || this.#send === undefined || place.joined) return;
    const { watched, mirror } = place;
    if (!watched.positions) mirror.forget();
    mirror.joinSent();
    const position = mirror.position;
    place.joined = true;
    place.subscription = `${this.name}.${index}.${++this.#joins}`;
    const since = position === undefined ? {} : { e: position.epoch, s: position.offset };
    this.#record({ p: mirror.options.p, type: 'invoke', f: 'join', g: watched.group, who: this.who, ...itemOf(watched), ...since });
    const [streamName, groupId] = watched.group.split('/');
    const id = watched.item === undefined ? {} : { id: watched.item };
    const from = position === undefined ? {} : { since: formatPosition(position) };
    const positions = watched.positions ? { positions: true, ...from } : {};
    this.#send(JSON.stringify({ type: 'join', data: { subscriptionId: place.subscription, streamName, groupId, ...id, ...positions } }));
  }

  leave(index: number): void {
    const place = this.#places[index];
    if (place === undefined || this.#send === undefined || !place.joined) return;
    const [streamName, groupId] = place.watched.group.split('/');
    this.#send(JSON.stringify({ type: 'leave', data: { subscriptionId: place.subscription, streamName, groupId } }));
    this.#close(place, 'ok');
  }

  read(bytes: Buffer): void {
    this.#frames.read(bytes);
  }

  /** Takes one message. */
  received(text: string): void {
    const frame = decodeWireFrame(text);
    switch (frame.kind) {
      case 'change':
      case 'sync':
        this.#ofGroup(frame);
        return;
      case 'unauthorized':
        for (const place of this.#places) if (place.joined && place.watched.group === frame.group) this.#refused(place);
        return;
      case 'syncing':
        this.#of(frame.subscription)?.mirror.syncing();
        return;
      case 'resumed':
        this.#of(frame.subscription)?.mirror.resumed(frame);
        return;
      case 'caught_up':
        this.#of(frame.subscription)?.mirror.caughtUp(frame.epoch, frame.offset);
        return;
      case 'gap':
        this.#of(frame.subscription)?.mirror.gap(frame.after, frame.through);
        return;
      // This frame changes no state. The frame that ends it names the position of the last delivered change.
      case 'stale':
      case 'error':
      case 'other':
        return;
      default:
        return frame satisfies never;
    }
  }

  /** Notes that the connection ended. */
  lost(): void {
    if (this.#send === undefined) return;
    this.#send = undefined;
    for (const place of this.#places) if (place.joined) this.#close(place, 'info');
  }

  holds(item: string, values: ReadonlyMap<string, string>): boolean {
    return this.#places.every(({ watched, mirror }) => watched.item !== undefined || mirror.held(item) === values.get(watched.group));
  }

  recordStates(): void {
    for (const { joined, mirror } of this.#places) if (joined && !mirror.between) mirror.recordState();
  }

  #ofGroup(frame: Extract<WireFrame, { kind: 'change' | 'sync' }>): void {
    for (const { joined, watched, mirror } of this.#places) {
      if (!joined || watched.group !== frame.group) continue;
      if (frame.kind === 'sync') {
        if (watched.item === frame.item) mirror.sync(frame);
      } else if (watched.item === undefined || watched.item === frame.item) mirror.change(frame);
    }
  }

  #of(subscription: string): Place | undefined {
    return this.#places.find((place) => place.joined && place.subscription === subscription);
  }

  #refused(place: Place): void {
    place.joined = false;
    place.mirror.cut();
    const { watched, mirror } = place;
    this.#record({ p: mirror.options.p, type: 'fail', f: 'join', g: watched.group, who: this.who, ...itemOf(watched) });
  }

  #close(place: Place, type: 'ok' | 'info'): void {
    place.joined = false;
    place.mirror.cut();
    const { watched, mirror } = place;
    this.#record({ p: mirror.options.p, type, f: 'close', g: watched.group, who: this.who, ...itemOf(watched) });
  }
}

function itemOf({ item }: Watched): { readonly item?: string } {
  return item === undefined ? {} : { item };
}
