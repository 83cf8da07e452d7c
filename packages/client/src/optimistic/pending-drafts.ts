import { StreamError } from '../access/stream-error.js';
import type { CallOutcome, CallOverlay, OverlayHost } from '../calls/call-overlay.js';
import type { CallGroup, Draft } from '../calls/call-types.js';
import type { Target } from '../subscription/join.js';
import type { Item } from '../subscription/mirror.js';
import type { Status } from '../subscription/subscription-phase.js';
import { DraftLayer, keyOf, type LayerOwner, type LayerTarget } from './draft-layer.js';
import { type DraftBase, type DraftRun, haveSameItem, runDraft } from './draft-run.js';
import { isSameData } from './effects.js';
import { isOver, type Outcome } from './outcome.js';

/**
 * Milliseconds for which a view waits that can't know whether it shows the outcome of a call. An example is a view of an item: its position
 * moves only with its own changes, so it may never reach the position of the group.
 */
const UNSURE_MS = 1_000;
/** The most calls that have ended and that views still show. Then the oldest one is not shown any more. */
const MOST_ENDED = 100;

interface PendingCall {
  readonly order: number;
  readonly change: (draft: Draft) => void;
  /** The last run of the draft. */
  run: DraftRun;
  /** The targets of the layers that the draft could read in its last run. */
  sources: readonly Target[];
  /** The items that the draft changed, by group and id, as the server had them at its last run. */
  basis: ReadonlyMap<string, ReadonlyMap<string, Item<unknown> | undefined>>;
  isSent: boolean;
  /** The draft does not run any more. Views show the effects of its last run. */
  isFrozen: boolean;
  /** Changes since the last run are not those of the call. */
  mayRunAgain: boolean;
  /** The layers that were catching up when the call was sent. All that they get until they are live was there before the call. */
  readonly behind: Set<DraftLayer>;
  outcome: Outcome | undefined;
  /** The layers that show the outcome of the call, so they need its effects no more. */
  readonly met: Set<DraftLayer>;
}

/**
 * The drafts of pending calls, and the layers that show them in views.
 *
 * ```
 *   replica ──► layer: effects of call 1, then of call 2, … ──► views
 * ```
 *
 * Invariants:
 * 1. A layer shows the state of its replica, with the effects of all calls that its replica does not show yet, in the order of the calls.
 * 2. The drafts run again, in order, whenever a group that they read or change has a new state.
 * 3. From the moment when a call is sent, a change of an item that its draft changed may be that of the call. From such a change on, the
 *    draft does not run any more, and the views keep what it did last. Otherwise a draft such as `done = !done` would show the old value
 *    between the change and the answer.
 * 4. A call that has ended stays in a layer until its replica has the outcome: `#isMet`.
 *
 * Layers exist only for groups that a pending draft has named. Other views cost nothing.
 */
export class PendingDrafts implements CallOverlay, LayerOwner {
  readonly #host: OverlayHost;
  /** In the order of the calls. */
  readonly #calls = new Map<string, PendingCall>();
  readonly #layers = new Map<string, Set<DraftLayer>>();
  /** The groups with a new state since the last refresh. */
  #dirty = new Set<string>();
  #orders = 0;
  #isBusy = false;
  #isRefreshDue = false;

  constructor(host: OverlayHost) {
    this.#host = host;
  }

  begin(callId: string, change: (draft: Draft) => void): readonly CallGroup[] {
    if (this.#isBusy) throw new StreamError('INVALID_OPTIONS', 'a draft function must not make a call');
    this.refresh();
    const order = ++this.#orders;
    let run: DraftRun;
    try {
      run = this.#run(change, order);
    } catch (error) {
      this.#dropLayers();
      throw error;
    }
    const call: PendingCall = {
      order,
      change,
      run,
      sources: this.#targetsOf(run),
      basis: this.#basisOf(run),
      isSent: false,
      isFrozen: false,
      mayRunAgain: false,
      behind: new Set(),
      outcome: undefined,
      met: new Set(),
    };
    this.#calls.set(callId, call);
    for (const [key, { effects }] of run.changed) {
      for (const layer of this.#layers.get(key) ?? []) {
        layer.goOn();
        layer.add(effects, order);
        if (layer.end()) layer.subscription.replica.notify(true);
      }
    }
    return Array.from(run.changed.values(), ({ stream, group }) => ({ stream, group }));
  }

  sent(callId: string): void {
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    this.refresh();
    call.isSent = true;
    for (const layer of this.#layersOf(call)) if (layer.subscription.status !== 'live') call.behind.add(layer);
  }

  settled(callId: string, { kind, positions }: CallOutcome): void {
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    call.outcome = {
      failed: kind === 'error',
      positions: new Map(positions.map(({ position, ...group }) => [keyOf(group), position])),
      isWaitOver: false,
      syncs: new Map(this.#layersOf(call).map((layer) => [layer, layer.syncs])),
    };
    // The function has run, so the draft need not run again.
    call.isFrozen = true;
    this.#meet(this.#layersOf(call));
    // Without a connection, nothing else would end this list.
    const ended = [...this.#calls].filter(([, each]) => each.outcome !== undefined);
    for (const [id, each] of ended.slice(0, Math.max(0, ended.length - MOST_ENDED))) this.#end(id, each);
    this.refresh();
    if (this.#calls.has(callId)) this.#endWaitLater(call.outcome);
  }

  opened(subscription: LayerTarget): void {
    const { stream, group } = subscription.target;
    const key = keyOf({ stream, group });
    if (this.#layers.has(key)) this.#addLayer(key, subscription);
  }

  moved(layer: DraftLayer): void {
    const key = keyOf(layer.subscription.target);
    this.#dirty.add(key);
    const { wasLive } = layer;
    const isLive = layer.subscription.status === 'live';
    layer.wasLive = isLive;
    if (!wasLive) this.#caughtUp(layer, isLive);
    // A group that has reached a position shows that its items have, too.
    const isMore = this.#meet(this.#layers.get(key) ?? []);
    if (isMore || !wasLive) this.refresh();
    else if (!this.#isAlone(key)) this.#refreshSoon();
  }

  entered(layer: DraftLayer, status: Status): void {
    const isLive = status === 'live';
    if (isLive && !layer.wasLive) {
      for (const { behind, outcome } of this.#calls.values()) {
        behind.delete(layer);
        // A view of an item is live before its missed changes come.
        if (outcome?.isWaitOver === true) this.#endWaitLater(outcome);
      }
    }
    layer.wasLive = isLive;
    if (status === 'closed') {
      layer.remove();
      this.#layers.get(keyOf(layer.subscription.target))?.delete(layer);
    }
    if (this.#meet([layer])) this.refresh();
  }

  refresh(): void {
    if (this.#isBusy || this.#dirty.size === 0) return;
    const dirty = this.#dirty;
    this.#dirty = new Set();
    this.#compose(dirty);
    this.#dropLayers();
  }

  /** Puts all layers together anew. Runs the drafts again that named a group in `dirty`. */
  #compose(dirty: Set<string>): void {
    for (const layer of this.#all()) layer.begin();
    for (const call of this.#calls.values()) {
      if (!call.isFrozen && [...call.run.named].some((key) => dirty.has(key))) this.#runAgain(call, dirty);
      for (const [key, { effects }] of call.run.changed)
        for (const layer of this.#layers.get(key) ?? []) if (!call.met.has(layer)) layer.add(effects, call.order);
    }
    // A draft may have named a group for the first time.
    for (const layer of this.#all()) if (layer.end()) layer.subscription.replica.notify();
  }

  #all(): DraftLayer[] {
    return [...this.#layers.values()].flatMap((each) => [...each]);
  }

  #runAgain(call: PendingCall, dirty: Set<string>): void {
    // Without the views that the draft has read, it would not do the same.
    if (!call.sources.every((target) => this.#canRead(target))) return;
    if (call.isSent && !call.mayRunAgain && this.#hasMoved(call)) {
      call.isFrozen = true;
      return;
    }
    const before = call.run;
    try {
      call.run = this.#run(call.change, call.order);
    } catch (cause) {
      call.isFrozen = true;
      this.#host.report(new StreamError('DRAFT_FAILED', 'a draft function threw over a new state; its last effects stay', { cause }));
      return;
    }
    call.mayRunAgain = false;
    call.sources = this.#targetsOf(call.run);
    call.basis = this.#basisOf(call.run);
    for (const key of [...before.changed.keys(), ...call.run.changed.keys()]) dirty.add(key);
  }

  #run(change: (draft: Draft) => void, order: number): DraftRun {
    this.#isBusy = true;
    try {
      return runDraft(change, (key) => this.#baseOf(key), order);
    } finally {
      this.#isBusy = false;
    }
  }

  /** Returns what a draft reads of a group: what the calls before it leave. */
  #baseOf(key: string): DraftBase {
    this.#addLayers(key);
    const layers = this.#sourcesOf(key);
    const of = (id: string) => layers.find(({ subscription: { target } }) => target.item === undefined || target.item === id);
    return {
      items: () => layers.flatMap((layer) => [...layer.stagedItems()]).sort((a, b) => a.created - b.created),
      get: (id) => of(id)?.stagedItem(id),
    };
  }

  /** Returns the layers that drafts read: that of the group if it has a state, or those of single items. */
  #sourcesOf(key: string): readonly DraftLayer[] {
    const known = [...(this.#layers.get(key) ?? [])].filter((layer) => layer.subscription.replica.known);
    const whole = this.#wholeOf(key);
    return whole === undefined ? known : [whole];
  }

  /** Returns the layer of the whole group if it has a state. */
  #wholeOf(key: string): DraftLayer | undefined {
    return [...(this.#layers.get(key) ?? [])].find(({ subscription: { target, replica } }) => target.item === undefined && replica.known);
  }

  #targetsOf({ named }: DraftRun): readonly Target[] {
    return [...named].flatMap((key) => this.#sourcesOf(key).map(({ subscription }) => subscription.target));
  }

  #canRead({ stream, group, item }: Target): boolean {
    return this.#sourcesOf(keyOf({ stream, group })).some(
      ({ subscription: { target } }) => target.item === undefined || target.item === item,
    );
  }

  #basisOf(run: DraftRun): PendingCall['basis'] {
    const rows = Array.from(run.changed, ([key, { effects }]) => {
      const sources = this.#sourcesOf(key);
      const items = Array.from(effects.keys()).flatMap((id) => {
        const source = sources.find(({ subscription: { target } }) => target.item === undefined || target.item === id);
        return source === undefined ? [] : [[id, source.subscription.replica.mirror.get(id)] as const];
      });
      return [key, new Map(items)] as const;
    });
    return new Map(rows);
  }

  /** Returns whether the server has changed an item that a draft changed since the draft ran. */
  #hasMoved({ run, basis }: PendingCall): boolean {
    const now = this.#basisOf(run);
    return [...basis].some(([key, items]) =>
      [...items].some(([id, item]) => {
        const current = now.get(key);
        return current?.has(id) === true && !isSameData(item?.data, current.get(id)?.data);
      }),
    );
  }

  /**
   * Marks the calls whose outcome the replicas of the layers show. Returns whether there are any. A call waits for earlier calls that
   * changed the same item, because their effects do not hold those of a later call.
   */
  #meet(layers: Iterable<DraftLayer>): boolean {
    let isMore = false;
    const open = Array.from(layers, (layer) => ({ layer, key: keyOf(layer.subscription.target), held: new Set<string>() }));
    for (const call of this.#calls.values()) {
      for (const { layer, key, held } of open) {
        const effects = call.run.changed.get(key)?.effects;
        if (effects === undefined || call.met.has(layer)) continue;
        const ids = [...effects.keys()];
        const isFree = call.outcome?.failed === true || !ids.some((each) => held.has(each));
        if (isFree && call.outcome !== undefined && isOver(call.outcome, layer, effects, this.#layers.get(key) ?? [])) {
          call.met.add(layer);
          isMore = true;
          this.#dirty.add(key);
        } else for (const each of ids) held.add(each);
      }
    }
    // Later calls first, because an earlier one may wait for them.
    for (const [id, call] of [...this.#calls].reverse()) {
      if (call.outcome === undefined || !this.#layersOf(call).every((layer) => call.met.has(layer)) || this.#isBase(call)) continue;
      this.#end(id, call);
      isMore = true;
    }
    return isMore;
  }

  /**
   * Returns whether a later draft changes an item that the call has changed. A view that opens with an old copy then needs the effects of
   * both.
   */
  #isBase({ order, outcome, run }: PendingCall): boolean {
    if (outcome?.failed === true) return false;
    return [...this.#calls.values()].some((later) => later.order > order && haveSameItem(run, later.run));
  }

  /** Ends the wait of views that can't know whether they show the outcome, but not while they catch up. */
  #endWaitLater(outcome: Outcome): void {
    outcome.isWaitOver = false;
    this.#host.clock.setTimer(() => {
      outcome.isWaitOver = true;
      this.#meet(this.#all());
      this.refresh();
    }, UNSURE_MS);
  }

  #end(id: string, call: PendingCall): void {
    this.#calls.delete(id);
    for (const key of call.run.named) this.#dirty.add(key);
    if (call.outcome?.failed !== true) return;
    // The effects of later drafts may hold those of this one. They run again, unless the server has changed their items.
    for (const later of this.#calls.values()) {
      if (later.order > call.order && later.outcome === undefined) later.isFrozen = false;
    }
  }

  /** A layer that is not live has taken a step. All that it got was there before the calls that were sent meanwhile. */
  #caughtUp(layer: DraftLayer, isLive: boolean): void {
    for (const call of this.#calls.values()) {
      if (!call.behind.has(layer)) continue;
      call.mayRunAgain = true;
      if (isLive) call.behind.delete(layer);
    }
  }

  /** Whether a change of a group can change only the views of one target. */
  #isAlone(key: string): boolean {
    return (
      this.#layers.get(key)?.size === 1 && [...this.#calls.values()].every(({ run: { named } }) => !named.has(key) || named.size === 1)
    );
  }

  #refreshSoon(): void {
    if (this.#isRefreshDue) return;
    this.#isRefreshDue = true;
    queueMicrotask(() => {
      this.#isRefreshDue = false;
      this.refresh();
    });
  }

  #layersOf({ run }: PendingCall): DraftLayer[] {
    return [...run.changed.keys()].flatMap((key) => [...(this.#layers.get(key) ?? [])]);
  }

  #addLayers(key: string): void {
    if (this.#layers.has(key)) return;
    this.#layers.set(key, new Set());
    for (const subscription of this.#host.subscriptions()) {
      const { stream, group } = subscription.target;
      if (keyOf({ stream, group }) === key) this.#addLayer(key, subscription);
    }
  }

  #addLayer(key: string, subscription: LayerTarget): void {
    this.#layers.get(key)?.add(new DraftLayer(subscription, this));
  }

  /** Removes the layers of groups that no pending draft names. */
  #dropLayers(): void {
    for (const [key, layers] of this.#layers) {
      if ([...this.#calls.values()].some(({ run }) => run.named.has(key))) continue;
      for (const layer of layers) {
        layer.remove();
        layer.subscription.replica.notify();
      }
      this.#layers.delete(key);
    }
  }
}
