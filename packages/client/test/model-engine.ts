import type { OpenSocket, SocketEvents } from '../src/connection/socket.js';
import * as frames from './frames.js';

interface Entry {
  readonly offset: number;
  readonly id: string | null;
  readonly frame: (extra?: Readonly<Record<string, unknown>>) => object;
  readonly kind: 'create' | 'update' | 'delete' | 'event';
  readonly through: number | undefined;
}

interface ModelItem {
  readonly text: string;
  readonly created: number;
  readonly changed: number;
}

export type Write = { readonly set: string } | { readonly remove: string } | { readonly say: string };
/** The way in which the model answers a reader that has a position, or that read too slowly. */
export type Answer = 'tail' | 'changes' | 'sync' | 'parts';

interface Member {
  readonly id: string;
  readonly item: string | undefined;
}

interface Queued {
  readonly frame: object;
  /** The entry of a live frame. A faulty server may lose or repeat it. */
  readonly live: Entry | undefined;
  /** The offset of the state of the group that begins with this frame. */
  readonly state: number | undefined;
}

/** Returns the state of a view as a text. Equal states have equal texts. */
export const show = (rows: Iterable<readonly [string, string]>) => [...rows].map(([id, text]) => `${id}=${text}`).join(' ');

/**
 * A model of an engine with one group. It has no clock and no sockets. The frames that it sends wait in a queue until the test delivers
 * them. The model remembers every state of the group by its position.
 */
export class ModelEngine {
  #epoch = 1;
  #head = 0;
  #items = new Map<string, ModelItem>();
  #removed = new Map<string, { readonly created: number; readonly offset: number }>();
  #log: Entry[] = [];
  #values = 0;
  #session: { readonly events: SocketEvents; readonly members: Member[]; open: boolean } | undefined;
  #queue: Queued[] = [];
  /** The offset up to which the model has sent frames to a reader that reads too slowly. */
  #lagging: number | undefined;
  /** Whether the store is unavailable, and the subscriptions that the model has notified of it. */
  #unavailable = false;
  #outdated = new Set<string>();
  /** The offsets of lost events. No later frame has shown the client yet that they are missing. */
  #unnoticed: number[] = [];
  answer: Answer = 'tail';
  /** The states that a client may show, by `<epoch>:<offset>`. States inside a batch are not among them. */
  readonly states = new Map<string, string>();
  /** The name of every event, by `<epoch>:<offset>`. */
  readonly said = new Map<string, string>();
  /** The places of lost events that a client can't notice, because a whole state came before a later live frame. */
  readonly hidden = new Set<string>();

  constructor() {
    this.#remember();
  }

  readonly openSocket: OpenSocket = (_url, events) => {
    const session = { events, members: [], open: false };
    this.#session = session;
    this.#queue = [];
    this.#lagging = undefined;
    this.#outdated = new Set();
    this.#unnoticed = [];
    return {
      send: (text) => {
        if (this.#session === session) this.#read(JSON.parse(text));
      },
      bufferedAmount: 0,
      close: () => {},
      terminate: () => {
        if (this.#session === session) this.#session = undefined;
      },
    };
  };

  get position(): string {
    return `e${this.#epoch}:${this.#head}`;
  }

  get state(): string {
    return this.states.get(this.position) ?? '';
  }

  itemAt(position: string, id: string): string | undefined {
    return this.states
      .get(position)
      ?.split(' ')
      .find((row) => row.startsWith(`${id}=`))
      ?.slice(id.length + 1);
  }

  get idle(): boolean {
    return this.#queue.length === 0;
  }

  accept(): void {
    const session = this.#session;
    if (session === undefined || session.open) return;
    session.open = true;
    session.events.onOpen();
  }

  drop(): void {
    const session = this.#session;
    this.#session = undefined;
    this.#queue = [];
    session?.events.onClose({ code: 1006, reason: '' });
  }

  /** Begins another history. The items stay, and old positions are void. */
  breakHistory(): void {
    this.#epoch++;
    this.#log = [];
    this.#removed = new Map();
    this.#remember();
    this.drop();
  }

  write(writes: readonly Write[]): void {
    const batch = writes.length > 1 ? writes.filter((write) => !('say' in write)) : writes;
    const effective = batch.filter((write) => !('remove' in write) || this.#items.has(write.remove));
    // A second write to one item could make an effective removal ineffective.
    const distinct = effective.filter((write, at) => at === 0 || !('remove' in write));
    const through = distinct.length > 1 ? this.#head + distinct.length : undefined;
    for (const write of distinct) this.#append(write, through);
    this.#remember();
  }

  deliver(count: number): void {
    for (let at = 0; at < count; at++) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#session?.events.onText(JSON.stringify(next.frame));
      this.#noticeLostEvents(next);
    }
  }

  /**
   * Loses one change of the group on its way. It never loses a change of the item `spared`, because a view of an item could not notice
   * that.
   */
  lose(at: number, spared: string): void {
    const loseable = this.#queue.filter(({ live }) => live !== undefined && live.id !== spared);
    const lost = loseable[at % Math.max(1, loseable.length)];
    this.#queue = this.#queue.filter((queued) => queued !== lost);
    if (lost?.live?.kind === 'event') this.#unnoticed.push(lost.live.offset);
  }

  /** Sends a frame a second time. */
  repeat(count: number): void {
    if (this.#lagging !== undefined || this.#session?.members.length === 0) return;
    for (const entry of this.#log.slice(-count)) this.#send(entry.frame(), undefined);
  }

  lag(): void {
    if (this.#session?.open === true) this.#lagging ??= this.#head;
  }

  catchUp(): void {
    const from = this.#lagging;
    this.#lagging = undefined;
    if (from === undefined) return;
    if (from !== this.#head && this.answer === 'tail') this.#tail(from, undefined);
    else if (from !== this.#head) for (const member of this.#session?.members ?? []) this.#sendState(member, from, 'floor');
    this.#notifyAvailability();
  }

  /** A live frame shows the client that an earlier frame is missing. A state hides that. */
  #noticeLostEvents({ live, state }: Queued): void {
    const offset = live?.offset ?? state;
    if (offset === undefined) return;
    if (state !== undefined) for (const lost of this.#unnoticed) if (lost <= state) this.hidden.add(`e${this.#epoch}:${lost}`);
    this.#unnoticed = this.#unnoticed.filter((lost) => lost > offset);
  }

  /**
   * A client that joins again ignores live frames, and takes a state that is on its way for the answer. So it can't notice the events
   * between its position and that state. The answer sends or reports all other events.
   */
  #hideBehindEarlierStates(since: number): void {
    const state = Math.max(since, ...this.#queue.map((queued) => queued.state ?? 0));
    for (let lost = since + 1; lost <= state; lost++) this.hidden.add(`e${this.#epoch}:${lost}`);
    this.#unnoticed = [];
  }

  /** Makes the store unavailable, or available again. Writes in between count as writes of other engines. */
  setAvailable(available: boolean): void {
    this.#unavailable = !available;
    this.#notifyAvailability();
  }

  #notifyAvailability(): void {
    if (this.#lagging !== undefined) return;
    for (const { id } of this.#session?.members ?? []) {
      if (this.#outdated.has(id) === this.#unavailable) continue;
      if (this.#unavailable) this.#outdated.add(id);
      else this.#outdated.delete(id);
      this.#send(this.#unavailable ? frames.stale(id) : frames.caughtUp(id, this.#head, `e${this.#epoch}`), undefined);
    }
  }

  #append(write: Write, through: number | undefined): void {
    const offset = ++this.#head;
    const entry = this.#apply(write, offset, through);
    this.#log.push(entry);
    const members = this.#session?.members ?? [];
    if (this.#lagging === undefined && members.some(({ item }) => item === undefined || item === entry.id))
      this.#send(entry.frame(), entry);
  }

  #apply(write: Write, offset: number, through: number | undefined): Entry {
    const extra = through === undefined ? {} : { through };
    if ('say' in write) {
      const name = `v${++this.#values}`;
      this.said.set(`e${this.#epoch}:${offset}`, name);
      return {
        offset,
        id: write.say === '' ? null : write.say,
        kind: 'event',
        through,
        frame: () => frames.event(offset, name, null, write.say || null),
      };
    }
    if ('remove' in write) {
      const id = write.remove;
      this.#removed.set(id, { created: this.#items.get(id)?.created ?? 0, offset });
      this.#items.delete(id);
      return { offset, id, kind: 'delete', through, frame: (more) => frames.remove(offset, id, { ...extra, ...more }) };
    }
    const id = write.set;
    const text = `v${++this.#values}`;
    const old = this.#items.get(id);
    this.#items.set(id, { text, created: old?.created ?? offset, changed: offset });
    this.#removed.delete(id);
    const make = old === undefined ? frames.create : frames.update;
    return {
      offset,
      id,
      kind: old === undefined ? 'create' : 'update',
      through,
      frame: (more) => make(offset, id, text, { ...extra, ...more }),
    };
  }

  #read(message: { readonly type: string; readonly data: Readonly<Record<string, unknown>> }): void {
    const { type, data } = message;
    const session = this.#session;
    if (session === undefined || type !== 'join') return;
    this.catchUp();
    const id = String(data.subscriptionId);
    const item = typeof data.id === 'string' ? data.id : undefined;
    const known = session.members.findIndex((member) => member.id === id);
    if (known < 0) session.members.push({ id, item });
    this.#outdated.delete(id);
    const since = typeof data.since === 'string' ? data.since : undefined;
    const [epoch, offset] = since?.split(':') ?? [];
    if (item === undefined) this.#hideBehindEarlierStates(Number(offset ?? 0));
    if (since === undefined) this.#sync({ id, item }, undefined);
    else if (epoch !== `e${this.#epoch}`) this.#sync({ id, item }, 'epoch');
    else this.#sendState({ id, item }, Number(offset), 'floor');
    this.#notifyAvailability();
  }

  #sendState(member: Member, from: number, reason: string): void {
    if (this.answer === 'sync' || this.answer === 'parts') {
      this.#sync(member, reason, from);
    } else {
      this.#send(frames.resumed(member.id, this.answer, from, this.#head, `e${this.#epoch}`), undefined);
      if (this.answer === 'tail') this.#tail(from, member.item);
      else this.#changes(member, from);
    }
  }

  #tail(from: number, item: string | undefined): void {
    for (const entry of this.#log) {
      if (entry.offset > from && (item === undefined || entry.id === item)) this.#send(entry.frame(), undefined);
    }
  }

  #changes(member: Member, from: number): void {
    const changed = [
      ...[...this.#items].map(([id, { created, changed: offset, text }]) => ({ id, created, offset, text })),
      ...[...this.#removed].map(([id, { created, offset }]) => ({ id, created, offset, text: undefined })),
    ].filter(({ offset, id }) => offset > from && (member.item === undefined || id === member.item));
    for (const { id, created, offset, text } of changed.sort((a, b) => a.offset - b.offset)) {
      const extra = { created };
      if (text === undefined) this.#send(frames.remove(offset, id, extra), undefined);
      else this.#send((created > from ? frames.create : frames.update)(offset, id, text, extra), undefined);
    }
    this.#gap(member, from);
    this.#send(frames.caughtUp(member.id, this.#head, `e${this.#epoch}`), undefined, member.item === undefined ? this.#head : undefined);
    this.#outdated.delete(member.id);
  }

  #sync(member: Member, reason: string | undefined, from?: number): void {
    const extra = { epoch: `e${this.#epoch}`, ...(reason === undefined ? {} : { reason }) };
    const rows = [...this.#items].sort(([, a], [, b]) => a.created - b.created);
    this.#send(frames.syncing(member.id), undefined);
    if (from !== undefined) this.#gap(member, from);
    this.#outdated.delete(member.id);
    if (member.item !== undefined) {
      const item = this.#items.get(member.item);
      this.#send(frames.itemSync(this.#head, member.item, item?.text, item?.created, extra), undefined);
      return;
    }
    const cut = this.answer === 'parts' ? [rows.slice(0, 1), rows.slice(1, 3), rows.slice(3)] : [rows];
    for (const [at, part] of cut.entries()) {
      const parts = cut.length > 1 ? { part: at, last: at === cut.length - 1 } : {};
      const list = part.map(([id, { text, created }]) => [id, text, created] as const);
      this.#send(
        frames.sync(this.#head, list, at === 0 ? { ...extra, ...parts } : { epoch: extra.epoch, ...parts }),
        undefined,
        this.#head,
      );
    }
  }

  #gap(member: Member, from: number): void {
    this.#send(frames.gap(member.id, from, this.#head), undefined);
  }

  #send(frame: object, live: Entry | undefined, state?: number): void {
    if (this.#session?.open === true) this.#queue.push({ frame, live, state });
  }

  #remember(): void {
    const rows = [...this.#items].sort(([, a], [, b]) => a.created - b.created);
    this.states.set(this.position, show(rows.map(([id, { text }]) => [id, text])));
  }
}
