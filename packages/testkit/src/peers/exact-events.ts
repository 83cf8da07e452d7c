/** The keys of a frame that a reader of event streams needs. */
interface Frame {
  readonly type: string;
  readonly streamName?: string;
  readonly groupId?: string;
  readonly id?: string | null;
  readonly offset?: number;
  readonly through?: number;
  readonly created?: number | readonly number[];
  readonly epoch?: string;
  readonly last?: boolean;
  readonly part?: number;
  readonly ids?: readonly string[];
  readonly event?: { readonly type: string; readonly data?: unknown };
  readonly data?: {
    readonly subscriptionId?: string;
    readonly mode?: string;
    readonly from?: number;
    readonly offset?: number;
    readonly epoch?: string;
  };
}

/** Counts of one reader, or of several together. */
export interface ExactFigures {
  /** Changes and events that were applied. */
  applied: number;
  /** Offsets that a reader passed without getting them. */
  lost: number;
  /** Changes and events that a reader got again after it had applied them. */
  doubled: number;
  /** Ids that do not name the state behind their event, or that stand within a batch. */
  wrongIds: number;
  /** Connections that went on from a position. */
  resumed: number;
  /** Connections on which the engine sent each changed item once. */
  compacted: number;
  /** States that replaced an older one. */
  replaced: number;
}

export function noFigures(): ExactFigures {
  return { applied: 0, lost: 0, doubled: 0, wrongIds: 0, resumed: 0, compacted: 0, replaced: 0 };
}

/** The state of one group, as a reader of whole groups keeps it by rule RV-53. */
class ExactGroup {
  readonly items = new Map<string, unknown>();
  readonly #figures: ExactFigures;
  #held: Frame[] = [];
  #isChanging = false;
  epoch: string | undefined;
  offset = 0;

  constructor(figures: ExactFigures) {
    this.#figures = figures;
  }

  /** Drops what was not whole when the connection ended. */
  cut(): void {
    this.#held = [];
    this.#isChanging = false;
  }

  take(frame: Frame, id: string | undefined): void {
    if (frame.type === 'resumed') this.#resumed(frame);
    else if (frame.type === 'caught_up') this.#caughtUp(frame);
    else if (frame.type === 'stream') this.#held.push(frame);
    if (id === undefined) return;
    if (!this.#isChanging) for (const held of this.#held.splice(0)) this.#apply(held);
    const isTorn = frame.through !== undefined && frame.through !== frame.offset;
    if (isTorn || id !== `${this.epoch}:${this.offset}`) this.#figures.wrongIds++;
  }

  #resumed({ data }: Frame): void {
    this.#figures.resumed++;
    this.#isChanging = data?.mode === 'changes';
    if (this.#isChanging) this.#figures.compacted++;
    this.#figures.lost += Math.max(0, (data?.from ?? 0) - this.offset);
  }

  #caughtUp({ data }: Frame): void {
    this.#isChanging = false;
    for (const frame of this.#held.splice(0)) this.#store(frame);
    this.offset = data?.offset ?? this.offset;
    this.epoch = data?.epoch ?? this.epoch;
  }

  #apply(frame: Frame): void {
    const offset = frame.offset ?? 0;
    if (frame.event?.type === 'sync') {
      if ((frame.part ?? 0) === 0) {
        if (this.epoch !== undefined) this.#figures.replaced++;
        this.items.clear();
      }
      const values = frame.event.data as readonly unknown[];
      frame.ids?.forEach((item, index) => this.items.set(item, values[index]));
      this.epoch = frame.epoch;
      this.offset = offset;
      return;
    }
    if (offset <= this.offset) this.#figures.doubled++;
    else this.#figures.lost += offset - this.offset - 1;
    this.offset = Math.max(offset, this.offset);
    this.#store(frame);
  }

  #store({ event, id }: Frame): void {
    this.#figures.applied++;
    if (typeof id !== 'string' || event?.type === 'event') return;
    if (event?.type === 'delete') this.items.delete(id);
    else this.items.set(id, event?.data);
  }
}

/**
 * A reader of whole groups over one event stream, which counts every change that it lost or got twice. The caller owns the connections: it
 * reports each event and each end, and sends `lastId` when it connects again.
 */
export class ExactEvents {
  readonly figures: ExactFigures = noFigures();
  readonly #groups: ReadonlyMap<string, ExactGroup>;
  readonly paths: readonly string[];
  /** Text of the last id on any connection. */
  lastId: string | undefined;

  /** `paths`: the groups, such as `chat/room-1`, in the order of the URL. */
  constructor(paths: readonly string[]) {
    this.paths = paths;
    this.#groups = new Map(paths.map((path) => [path, new ExactGroup(this.figures)]));
  }

  /** The path and query of a request for these groups. */
  get target(): string {
    const [only = '', ...others] = this.paths;
    return others.length === 0 ? `/stream/${only}` : `/events?${this.paths.map((path) => `group=${path}`).join('&')}`;
  }

  /** Offset of a group; 0 before its first state. */
  offsetOf(path: string): number {
    return this.#groups.get(path)?.offset ?? 0;
  }

  /** Items of a group and their values. */
  itemsOf(path: string): ReadonlyMap<string, unknown> {
    return this.#groups.get(path)?.items ?? new Map();
  }

  /** Whether every group has a state. */
  get hasBegun(): boolean {
    return [...this.#groups.values()].every(({ epoch }) => epoch !== undefined);
  }

  take({ data, id }: { readonly data: string; readonly id: string | undefined }): void {
    const frame = JSON.parse(data) as Frame;
    const path = frame.data?.subscriptionId ?? `${frame.streamName}/${frame.groupId}`;
    if (id !== undefined) this.lastId = id;
    this.#groups.get(path)?.take(frame, this.#partOf(path, id));
  }

  cut(): void {
    for (const group of this.#groups.values()) group.cut();
  }

  #partOf(path: string, id: string | undefined): string | undefined {
    if (id === undefined || this.paths.length === 1) return id;
    return decodeURIComponent(id.split(',')[this.paths.indexOf(path)] ?? '');
  }
}
