import assert from 'node:assert/strict';
import type { StreamChangeFrame } from '@rivulet/protocol';
import { StreamError } from '../src/access/stream-error.js';
import type { ConfirmedGroup } from '../src/calls/call-overlay.js';
import type { CallGroup, Draft } from '../src/calls/call-types.js';
import type { LayerTarget } from '../src/optimistic/draft-layer.js';
import { PendingDrafts } from '../src/optimistic/pending-drafts.js';
import { Listeners } from '../src/subscription/listeners.js';
import type { Item } from '../src/subscription/mirror.js';
import { Replica } from '../src/subscription/replica.js';
import type { Status } from '../src/subscription/subscription-phase.js';
import { TestClock } from './test-clock.js';

/** The value of an item: the names of the writes that made it, in order. No write is idempotent, so one that counts twice shows. */
export type Log = readonly string[];

export type Write =
  | { readonly do: 'append'; readonly group: string; readonly id: string }
  | { readonly do: 'create' | 'remove'; readonly group: string; readonly id: string }
  | { readonly do: 'move'; readonly id: string };

/** The end of a call. `fails`: the function writes and throws. `refused`: it does not run. `more`: it writes more than the draft. */
export type Fate = 'does' | 'fails' | 'refused' | 'more';

interface Row {
  readonly data: Log;
  readonly created: number;
  readonly offset: number;
}

type Change = { readonly id: string; readonly row: Row | undefined };

/** One group on the server: every change in order, and the state after each. */
class ServerGroup {
  readonly changes: (Change & { readonly through: number })[] = [];
  rows = new Map<string, Row>();
  epoch = 1;

  get head(): number {
    return this.changes.length;
  }

  get position() {
    return { epoch: `e${this.epoch}`, offset: this.head };
  }

  /** Writes a batch: all changes have the offset of the last one as `through`. */
  write(writes: readonly { readonly id: string; readonly data: Log | undefined }[]): void {
    const effective = writes.filter(({ id, data }) => data !== undefined || this.rows.has(id));
    const through = this.head + effective.length;
    for (const { id, data } of effective) {
      const offset = this.head + 1;
      const old = this.rows.get(id);
      const row = data && { data, created: old?.created ?? offset, offset };
      if (row === undefined) this.rows.delete(id);
      else this.rows.set(id, row);
      this.changes.push({ id, row, through });
    }
  }

  items(): Item<unknown>[] {
    return [...this.rows].map(([id, row]) => ({ id, ...row })).sort((a, b) => a.created - b.created);
  }
}

/** A view as the overlay sees it: a replica, and a status. */
export class ModelView implements LayerTarget {
  readonly target: LayerTarget['target'];
  readonly replica = new Replica(() => this.notices++);
  readonly statuses = new Listeners<Status>();
  readonly errors = new Listeners<StreamError>();
  isRefused = false;
  #status: Status = 'connecting';
  hasBeenLive = false;
  notices = 0;
  /** The offset up to which changes were delivered. */
  cursor = 0;

  constructor(group: string, item: string | undefined) {
    this.target = { stream: 's', group, item };
  }

  get status(): Status {
    return this.#status;
  }

  set status(status: Status) {
    this.#status = status;
    this.hasBeenLive ||= status === 'live';
  }

  refuse(): void {
    this.isRefused = true;
    this.errors.emit(new StreamError('FORBIDDEN', 'refused'));
  }

  enter(status: Status): void {
    if (this.status === status) return;
    this.status = status;
    this.statuses.emit(status);
  }

  items(): readonly Item<Log>[] {
    return this.replica.shown.items as readonly Item<Log>[];
  }
}

interface ModelCall {
  readonly id: string;
  readonly write: Write;
  readonly fate: Fate;
  groups: readonly CallGroup[];
  state: 'waiting' | 'sent' | 'running' | 'done' | 'settled';
  failed: boolean;
  /** Whether the call was sent on this connection. */
  isHere: boolean;
  /** Whether a view showed what the call moves. A draft can't move what it does not know. */
  readonly isKnown: boolean;
}

export type Step =
  | { readonly do: 'call'; readonly write: Write; readonly fate: Fate }
  | { readonly do: 'foreign'; readonly writes: readonly Write[] }
  | { readonly do: 'deliver' | 'run' | 'answer' | 'pass'; readonly count: number }
  | { readonly do: 'lose' | 'break' }
  | { readonly do: 'connect' | 'reopen'; readonly how: 'tail' | 'changes' | 'sync' | 'restored' };

export const ITEM = 'a';

/** Runs calls and changes of others in any order, and checks after each step what the views show. */
export class OverlayTrial {
  readonly #clock = new TestClock();
  readonly #groups = new Map(['g', 'h'].map((name) => [name, new ServerGroup()]));
  #views: ModelView[] = [];
  readonly #drafts = new PendingDrafts({
    clock: this.#clock,
    subscriptions: () => this.#views as never,
    report: (error) => assert.fail(error),
  });
  readonly #calls: ModelCall[] = [];
  #isConnected = true;
  #names = 0;
  #read = false;

  constructor(reads: boolean) {
    this.#read = reads;
    this.#group('g').write([ITEM, 'b', 'm', 'r'].map((id) => ({ id, data: [] })));
    for (const [group, item] of [['g'], ['h'], ['g', ITEM]] as const) {
      const view = new ModelView(group, item);
      this.#views.push(view);
      this.#sync(view);
    }
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) {
      this.#take(step);
      this.#check();
    }
    this.#heal();
    for (const view of this.#views) {
      assert.equal(view.replica.overlay, undefined, 'an overlay stays');
      assert.deepEqual(view.items().map(bare), this.#rowsOf(view), 'a view differs from the server');
    }
  }

  #group(name: string): ServerGroup {
    const group = this.#groups.get(name);
    assert.ok(group);
    return group;
  }

  #take(step: Step): void {
    switch (step.do) {
      case 'call':
        return this.#call(step.write, step.fate);
      case 'foreign':
        for (const name of this.#groups.keys()) this.#write(name, step.writes, () => `f${++this.#names}`);
        return undefined;
      case 'deliver':
        for (let at = 0; at < step.count; at++) {
          this.#deliver();
          this.#check();
        }
        return undefined;
      case 'run':
        return this.#runCall(step.count);
      case 'answer':
        return this.#answer(step.count);
      case 'pass':
        return this.#clock.pass(step.count);
      case 'lose':
        return this.#lose();
      case 'break':
        return this.#break();
      case 'connect':
        return this.#connect(step.how);
      case 'reopen':
        return this.#reopen(step.how);
      default:
        return step satisfies never;
    }
  }

  #call(write: Write, fate: Fate): void {
    const id = `c${++this.#names}`;
    const call: ModelCall = { id, write, fate, groups: [], state: 'waiting', failed: false, isHere: false, isKnown: this.#isKnown() };
    this.#calls.push(call);
    call.groups = this.#drafts.begin(id, (draft) => change(draft, write, id));
    // A view shows it at once.
    this.#check();
    if (this.#isConnected) this.#sendCalls();
  }

  #isKnown(): boolean {
    return this.#views.some(({ target: { group, item }, replica }) => group === 'g' && item === undefined && replica.known);
  }

  #sendCalls(): void {
    for (const call of this.#calls) {
      if (call.isHere || call.state === 'settled') continue;
      call.isHere = true;
      if (call.state !== 'waiting') continue;
      call.state = 'sent';
      this.#drafts.sent(call.id);
    }
  }

  #runCall(at: number): void {
    const open = this.#calls.filter(({ state }) => state === 'sent');
    const call = open[at % Math.max(1, open.length)];
    if (call === undefined) return;
    call.state = 'done';
    if (call.fate === 'refused') return;
    for (const name of this.#groups.keys()) this.#write(name, [call.write], () => call.id);
    if (call.fate === 'more') this.#write('g', [{ do: 'append', group: 'g', id: 'b' }], () => `${call.id}+`);
  }

  #write(name: string, writes: readonly Write[], tag: () => string): void {
    const group = this.#group(name);
    const rows = new Map<string, Log | undefined>();
    const read = (id: string) => (rows.has(id) ? rows.get(id) : group.rows.get(id)?.data);
    for (const write of writes) {
      if (write.do === 'move') {
        const data = this.#group('g').rows.get(write.id)?.data;
        // The group `g` comes first, so the item is in no group for a moment.
        if (name === 'g' && data !== undefined) {
          this.#group('h').write([{ id: write.id, data: [...data, tag()] }]);
          rows.set(write.id, undefined);
        }
      } else if (write.group === name) {
        const old = read(write.id);
        if (write.do === 'remove') rows.set(write.id, undefined);
        else if (write.do === 'create' || old !== undefined) rows.set(write.id, [...(old ?? []), tag()]);
      }
    }
    group.write([...rows].map(([id, data]) => ({ id, data })));
  }

  #answer(at: number): void {
    const open = this.#calls.filter(({ state, isHere }) => state === 'done' && isHere);
    const call = open[at % Math.max(1, open.length)];
    if (call === undefined || !this.#isConnected) return;
    call.state = 'settled';
    call.failed = call.fate === 'fails' || call.fate === 'refused';
    const positions = call.groups.map((each): ConfirmedGroup => {
      const isJoined = this.#views.some(({ target, status }) => target.group === each.group && status !== 'connecting');
      const isNone = call.fate === 'refused' || !isJoined;
      return { ...each, position: isNone ? undefined : this.#group(each.group).position };
    });
    const error = new StreamError('X', 'x');
    this.#drafts.settled(call.id, call.failed ? { kind: 'error', error, positions } : { kind: 'result', result: null, positions });
  }

  /** Delivers the next change, or batch of changes, of one group to all of its views. */
  #deliver(): void {
    if (!this.#isConnected) return;
    const view = this.#views.find((each) => each.status === 'live' && each.cursor < this.#group(each.target.group).head);
    if (view === undefined) return;
    const { cursor } = view;
    const { group } = view.target;
    // The client gives a frame to the subscription of its item first.
    const order = [...this.#views].sort((a, b) => Number(a.target.item === undefined) - Number(b.target.item === undefined));
    for (const each of order)
      if (each.status === 'live' && each.target.group === group && each.cursor === cursor) this.#step(each, this.#nextOf(each));
  }

  #nextOf({ target, cursor }: ModelView): number {
    return this.#group(target.group).changes[cursor]?.through ?? cursor;
  }

  #step(view: ModelView, to: number): void {
    const frames = this.#group(view.target.group)
      .changes.slice(view.cursor, to)
      .map(({ id, row }, index) => frameOf(view.target.group, id, row, view.cursor + index + 1))
      .filter((frame) => view.target.item === undefined || frame.itemId === view.target.item);
    view.cursor = to;
    const [last] = frames.slice(-1);
    if (view.target.item === undefined) view.replica.apply(frames, to);
    else if (last !== undefined) view.replica.apply(frames, last.offset ?? to);
    this.#check();
  }

  #sync(view: ModelView): void {
    const group = this.#group(view.target.group);
    view.cursor = group.head;
    view.status = 'live';
    const known = view.replica.known;
    view.replica.replace(this.#itemsOf(view), group.position, known ? 'floor' : undefined);
    view.statuses.emit('live');
  }

  #catchUp(view: ModelView, how: 'tail' | 'changes' | 'sync' | 'restored'): void {
    const { position } = view.replica;
    const { head, epoch } = this.#group(view.target.group);
    if (how === 'sync' || how === 'restored' || position?.epoch !== `e${epoch}`) {
      this.#sync(view);
      return;
    }
    if (how === 'changes') {
      view.status = 'live';
      this.#step(view, head);
    } else if (view.target.item === undefined) {
      while (view.cursor < head) {
        const to = this.#nextOf(view);
        if (to === head) view.status = 'live';
        this.#step(view, to);
      }
    } else this.#step(view, head);
    view.status = 'live';
    view.statuses.emit('live');
  }

  #lose(): void {
    this.#isConnected = false;
    for (const call of this.#calls) call.isHere = false;
    for (const view of this.#views) view.enter(view.replica.known ? 'stale' : 'connecting');
  }

  #break(): void {
    this.#lose();
    for (const group of this.#groups.values()) group.epoch++;
  }

  #connect(how: 'tail' | 'changes' | 'sync' | 'restored'): void {
    if (this.#isConnected) return;
    this.#isConnected = true;
    const joined = new Map([...this.#groups].map(([name, { head }]) => [name, head]));
    this.#sendCalls();
    for (const view of this.#views) {
      this.#catchUp(view, how);
      this.#check();
    }
    assert.ok(joined);
  }

  /** Closes a view and opens it again, perhaps with an old copy. */
  #reopen(how: 'tail' | 'changes' | 'sync' | 'restored'): void {
    const [first, ...others] = this.#views;
    if (first === undefined) return;
    const { group, item } = first.target;
    first.enter('closed');
    const view = new ModelView(group, item);
    this.#views = [...others, view];
    this.#drafts.opened(view as never);
    if (how === 'restored') {
      const { position, mirror } = first.replica;
      if (position !== undefined) {
        view.replica.replace(mirror.items, position, 'restored');
        view.cursor = first.cursor;
        view.enter('stale');
        this.#check();
      }
    }
    if (this.#isConnected) this.#catchUp(view, how === 'restored' ? 'tail' : 'sync');
  }

  #itemsOf({ target: { group, item } }: ModelView): readonly Item<unknown>[] {
    return this.#group(group)
      .items()
      .filter(({ id }) => item === undefined || id === item);
  }

  #rowsOf(view: ModelView) {
    return this.#itemsOf(view).map(({ id, data, created }) => ({ id, data, created, pending: undefined }));
  }

  #heal(): void {
    for (let round = 0; round < 200; round++) {
      if (!this.#isConnected) this.#connect('tail');
      for (const _ of this.#calls) {
        this.#runCall(0);
        this.#answer(0);
        this.#check();
      }
      this.#deliver();
      this.#check();
      const isBehind = this.#views.some((view) => view.cursor < this.#group(view.target.group).head);
      // The wait of views of items is longer than the way of a change.
      if (!isBehind) this.#clock.pass(5_000);
      if (round > 3 && !isBehind && this.#calls.every(({ state }) => state === 'settled')) return;
    }
    assert.fail('does not heal');
  }

  #check(): void {
    if (!this.#read) return;
    for (const view of this.#views) {
      const { replica, target } = view;
      if (!replica.known) continue;
      const items = view.items();
      assert.equal(view.items(), items, 'another array without a change');
      assert.equal(replica.shown.size, items.length);
      for (const { id } of items) assert.ok(target.item === undefined || target.item === id, 'an item of another view');
      assert.deepEqual(
        items.map(({ created }) => created),
        items.map(({ created }) => created).sort((a, b) => a - b),
      );
      for (const item of items) assert.equal(replica.shown.get(item.id), item);
      const shown = new Map(items.map((item) => [item.id, item]));
      assert.equal(shown.size, items.length, 'an item is shown twice');
      for (const { id, data } of items) assert.equal(new Set(data).size, data.length, `a write counts twice: ${id} ${data.join()}`);
      // An old copy may be older than calls that have ended.
      for (const call of this.#calls) if (view.hasBeenLive || call.state !== 'settled') this.#checkCall(call, target, shown);
    }
  }

  #checkCall(
    { id, write, state, failed, isKnown }: ModelCall,
    { group, item }: LayerTarget['target'],
    shown: ReadonlyMap<string, Item<Log>>,
  ): void {
    if (failed || (item !== undefined && item !== write.id)) return;
    const own = shown.get(write.id);
    if (write.do === 'append' && write.group === group && own !== undefined) {
      assert.ok(own.data.includes(id), `${id} is not shown: ${own.data.join()} ${state}`);
      if (state !== 'settled') assert.equal(own.pending, true);
    }
    if (write.do === 'create' && write.group === group) assert.ok(own, `${id} is not created ${state}`);
    if (write.do === 'remove' && write.group === group) assert.equal(own, undefined, `${id} has not removed ${state}`);
    // A refused move takes its effects back. The draft of a later move found nothing to move, so views wait for its changes.
    const isTakenBack = this.#calls.some((call) => call.write.do === 'move' && call.failed);
    if (isTakenBack || !isKnown || write.do !== 'move') return;
    if (group === 'h') assert.ok(own, `${id} is in no group ${state}`);
    if (group === 'g') assert.equal(own, undefined, `${id} has not moved ${state}`);
  }
}

function bare({ id, data, created, pending }: Item<unknown>) {
  return { id, data, created, pending };
}

function frameOf(group: string, id: string, row: Row | undefined, offset: number): StreamChangeFrame {
  const base = { streamName: 's', groupId: group, itemId: id, offset, created: row?.created, through: undefined };
  if (row === undefined) return { ...base, type: 'delete', data: {} } as unknown as StreamChangeFrame;
  return { ...base, type: 'update', data: row.data } as unknown as StreamChangeFrame;
}

function change(draft: Draft, write: Write, tag: string): void {
  if (write.do === 'move') {
    const from = draft.group<Log>('s', 'g');
    const old = from.get(write.id);
    if (old === undefined) return;
    from.delete(write.id);
    draft.group<Log>('s', 'h').set(write.id, [...old.data, tag]);
    return;
  }
  const group = draft.group<Log>('s', write.group);
  if (write.do === 'append') group.update(write.id, (old) => [...old, tag]);
  else if (write.do === 'remove') group.delete(write.id);
  else group.set(write.id, [...(group.get(write.id)?.data ?? []), tag]);
}
