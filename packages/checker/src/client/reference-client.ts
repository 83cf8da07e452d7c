import { formatPosition } from '@rivulet/protocol';
import type { NewOp } from '../history/op.js';
import { Mirror } from './mirror.js';
import { decodeWireFrame, type WireFrame } from './wire-frame.js';

/** One thing that a client watches, over all its connections. */
export interface Watched {
  readonly group: string;
  readonly item?: string;
  /** False: joins as a client that knows no positions, and begins anew with each connection. */
  readonly positions: boolean;
}

interface Place {
  readonly watched: Watched;
  readonly mirror: Mirror;
  /** Asked for on this connection and not ended. */
  joined: boolean;
  /** Of the newest join. */
  subscription: string;
}

/** Sends one text to the engine. */
export type Send = (text: string) => void;

/**
 * A stream client written from the rules, for histories: it applies what comes, comes back with its positions, and records everything.
 * It owns no socket: tell it of `connected`, `received` and `lost`.
 */
export class ReferenceClient {
  readonly name: string;
  readonly who: string;
  readonly #record: (op: NewOp) => void;
  readonly #places: Place[];
  #send: Send | undefined;
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

  /** Changes that were shown to the application. */
  get shown(): number {
    return this.#places.reduce((sum, { mirror }) => sum + mirror.shown, 0);
  }

  /** Whether everything that it watches has a state, and stands between nothing. */
  get whole(): boolean {
    return this.#places.every(({ joined, mirror }) => !joined || (mirror.position !== undefined && !mirror.between));
  }

  connected(send: Send): void {
    this.#send = send;
    for (let index = 0; index < this.#places.length; index++) this.join(index);
  }

  /** Asks for what it watches, from where it stands. */
  join(index: number): void {
    const place = this.#places[index];
    if (place === undefined || this.#send === undefined || place.joined) return;
    const { watched, mirror } = place;
    if (!watched.positions) mirror.forget();
    mirror.asked();
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
      // It changes no state: what ends it says up to where everything was delivered.
      case 'stale':
      case 'error':
      case 'other':
        return;
      default:
        return frame satisfies never;
    }
  }

  /** The connection ended. */
  lost(): void {
    if (this.#send === undefined) return;
    this.#send = undefined;
    for (const place of this.#places) if (place.joined) this.#close(place, 'info');
  }

  /** Whether everything that watches a whole group holds that value of the item. */
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
