import { field, isJsonObject, type JsonObject, type Position, parseJson, parsePosition, stringField } from '@rivulet/protocol';
import type { NewOp } from '../history/op.js';
import { apply } from './event-client.js';
import { HttpAnswerReader } from './http-answer-reader.js';
import { HttpPlace, type HttpTarget } from './http-place.js';
import type { Send, WatchingClient } from './watching-client.js';
import { decodeWireFrame, type SyncItem, type WireFrame } from './wire-frame.js';

export interface PollClientOptions {
  readonly name: string;
  /** Identity and token of the user. */
  readonly who: string;
  readonly target: HttpTarget;
  readonly record: (op: NewOp) => void;
  /** Seconds for which each request waits for a change. */
  readonly waitS: number;
  /** Whether the first state comes from a snapshot. Otherwise it comes from the answer to a position that the engine does not know. */
  readonly beginsBySnapshot: boolean;
  /** Runs `next` after a pause. The pause depends on the answer that came. */
  readonly after: (came: 'answer' | 'unavailable' | 'refusal', next: () => void) => void;
}

/**
 * A reader by long polling, written from rules RV-51 and RV-52. It sends one request after the other on a connection, and goes on from the
 * position of each answer. It records its state at each position.
 */
export class PollClient implements WatchingClient {
  readonly #options: PollClientOptions;
  readonly #place: HttpPlace;
  #send: Send | undefined;
  #answers: HttpAnswerReader | undefined;
  /** Position in the request that has no answer yet; undefined for a first request. */
  #since: Position | undefined;
  #status = 0;
  #body: Buffer[] = [];

  constructor(options: PollClientOptions) {
    const { name, who, target, record } = options;
    this.#options = options;
    this.#place = new HttpPlace(`${name}.0`, who, target, record);
  }

  get name(): string {
    return this.#options.name;
  }

  get who(): string {
    return this.#options.who;
  }

  get online(): boolean {
    return this.#send !== undefined;
  }

  get shown(): number {
    return this.#place.mirror.shown;
  }

  get whole(): boolean {
    const { joined, mirror } = this.#place;
    return !joined || (mirror.position !== undefined && !mirror.between);
  }

  connected(send: Send): void {
    this.#send = send;
    this.#answers = new HttpAnswerReader({
      onHead: (status) => {
        this.#status = status;
        this.#body = [];
      },
      onBody: (bytes) => {
        this.#body.push(bytes);
      },
      onEnd: () => this.#answered(),
    });
    this.#join();
  }

  read(bytes: Buffer): void {
    this.#answers?.read(bytes);
  }

  lost(): void {
    this.#send = undefined;
    this.#answers = undefined;
    this.#place.end('info');
  }

  recordStates(): void {
    const { joined, mirror } = this.#place;
    if (joined && !mirror.between) mirror.recordState();
  }

  holds(item: string, values: ReadonlyMap<string, string>): boolean {
    return this.#place.holds(item, values);
  }

  #join(): void {
    this.#place.begin(this.#place.mirror.position);
    // This answer confirms the position at once, and I13 counts from it.
    this.#ask(0);
  }

  #ask(waitS = this.#options.waitS): void {
    const { who, beginsBySnapshot } = this.#options;
    this.#since = this.#place.mirror.position;
    const since = this.#place.positionText ?? (beginsBySnapshot ? undefined : 'unknown');
    const query = since === undefined ? '' : `?since=${encodeURIComponent(since)}&wait=${waitS}`;
    this.#send?.(`GET /stream/${this.#place.path}${query} HTTP/1.1\r\nhost: sim\r\nauthorization: Bearer ${who}\r\n\r\n`);
  }

  /** Runs `next` after a pause, unless the connection has ended then. */
  #later(came: 'answer' | 'unavailable' | 'refusal', next: () => void): void {
    const send = this.#send;
    this.#options.after(came, () => {
      if (send !== undefined && this.#send === send) next();
    });
  }

  #answered(): void {
    const body: unknown = parseJson(Buffer.concat(this.#body).toString());
    if (this.#status === 503) return this.#later('unavailable', () => this.#ask());
    if (this.#status !== 200 || !isJsonObject(body)) {
      this.#place.refused();
      return this.#later('refusal', () => this.#join());
    }
    if (field(body, 'items') === undefined) this.#changes(body);
    else this.#snapshot(body);
    this.#later('answer', () => this.#ask());
  }

  #snapshot(body: JsonObject): void {
    const { target } = this.#place;
    const position = positionOf(body);
    const items = field(body, 'items');
    if (!Array.isArray(items) || position === undefined) throw new Error('a snapshot without items or a position');
    apply(this.#place, { kind: 'syncing', subscription: '' });
    apply(this.#place, {
      kind: 'sync',
      group: target.group,
      item: target.item,
      items: items.map(snapshotItem),
      ts: undefined,
      offset: position.offset,
      epoch: position.epoch,
      reason: undefined,
      part: undefined,
      last: true,
    });
  }

  #changes(body: JsonObject): void {
    const changes: unknown = field(body, 'changes');
    const position = positionOf(body);
    if (!Array.isArray(changes) || position === undefined) throw new Error('changes without frames or a position');
    const frames = changes.map((change) => decodeWireFrame(JSON.stringify(change)));
    const mode = stringField(body, 'mode');
    if (mode !== 'sync' && this.#since === undefined) throw new Error(`an answer to no position has the mode ${mode}`);
    const isReplaced = frames.some(({ kind }) => kind === 'sync');
    const isReduced = frames.some((frame) => frame.kind === 'change' && !isLive(frame));
    // Otherwise a reader that trusts the mode would keep what it must replace, or wait for a change that it never gets.
    if ((mode === 'sync') !== isReplaced || (mode === 'tail' && isReduced)) throw new Error(`changes of another mode than ${mode}`);
    const isTail = mode === 'tail' || (frames[0] !== undefined && isLive(frames[0]));
    if (isTail && this.#since !== undefined)
      this.#resumed('tail', this.#since.epoch, this.#since.offset, mode === 'tail' ? position.offset : this.#since.offset);
    for (let at = 0; at < frames.length; ) at = this.#run(frames, at, mode, position);
    this.#place.mirror.moveTo(position);
  }

  /**
   * Applies the frames of one kind that begin at `at`, and returns the index behind them. Live changes may stand before and after changed
   * items. Only changed items state when they were created.
   */
  #run(frames: readonly WireFrame[], at: number, mode: string | undefined, position: Position): number {
    const first = frames[at] as WireFrame;
    if (isLive(first) || first.kind === 'sync') {
      // A `gap` before it has announced it already.
      const isAnnounced = frames[at - 1]?.kind === 'gap' || (first.kind === 'sync' && (first.part ?? 0) > 0);
      if (first.kind === 'sync' && !isAnnounced) apply(this.#place, { kind: 'syncing', subscription: '' });
      apply(this.#place, first);
      return at + 1;
    }
    // A `gap` ends the changed items, and more of them may follow when the reader fell behind again.
    const last = frames.findIndex((frame, index) => index >= at && (frame.kind === 'gap' || isOther(frames[index + 1])));
    const run = frames.slice(at, last + 1);
    const follower = frames[last + 1];
    // The events that were lost before a `sync` are announced before it.
    if (follower?.kind === 'sync') apply(this.#place, { kind: 'syncing', subscription: '' });
    const gap = run.find((frame) => frame.kind === 'gap');
    const reached = this.#place.mirror.position?.offset ?? 0;
    const before = follower?.kind === 'change' && follower.offset !== undefined ? follower.offset - 1 : position.offset;
    const isCompacted = follower?.kind !== 'sync' && (mode === 'changes' || run.some(({ kind }) => kind === 'change'));
    if (!isCompacted) for (const frame of run) apply(this.#place, frame);
    else if (gap?.kind === 'gap') {
      // Changed items up to the beginning of the `gap` are of a stretch before it, in which no events were lost.
      const early = run.filter((frame) => frame.kind === 'change' && (frame.offset ?? 0) <= gap.after);
      if (early.length > 0) this.#changed(early, position.epoch, reached, gap.after);
      const late = run.filter((frame) => !early.includes(frame));
      // A reader of one item gets no frames of the log for changes of other items, so it may begin further on.
      this.#changed(late, position.epoch, Math.max(reached, gap.after), gap.through);
    } else this.#changed(run, position.epoch, reached, before);
    return at + run.length;
  }

  /** Applies changed items, which lead from one offset to another. */
  #changed(frames: readonly WireFrame[], epoch: string, from: number, to: number): void {
    this.#resumed('changes', epoch, from, to);
    for (const frame of frames) apply(this.#place, frame);
    apply(this.#place, { kind: 'caught_up', subscription: '', epoch, offset: to });
  }

  #resumed(mode: 'tail' | 'changes', epoch: string, from: number, to: number): void {
    apply(this.#place, { kind: 'resumed', subscription: '', mode, epoch, from, to });
  }
}

/** Returns whether a frame, or the end, follows changed items. */
function isOther(frame: WireFrame | undefined): boolean {
  return frame === undefined || frame.kind === 'sync' || isLive(frame);
}

function isLive(frame: WireFrame): boolean {
  return frame.kind === 'change' && frame.created === undefined;
}

function positionOf(body: JsonObject): Position | undefined {
  return parsePosition(stringField(body, 'position') ?? '');
}

function snapshotItem(item: unknown): SyncItem {
  const data = isJsonObject(item) ? field(item, 'data') : undefined;
  return {
    id: isJsonObject(item) ? stringField(item, 'id') : undefined,
    value: isJsonObject(data) ? stringField(data, 'v') : undefined,
    created: undefined,
  };
}
