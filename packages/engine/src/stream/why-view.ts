import { LIMITS } from '@rivulet/protocol';
import type { SessionDirectory } from '../core/revocation/session-directory.js';
import type { ChangeEntry, GroupRef } from '../store/store.js';
import { WorkSlots } from '../structures/work-slots.js';
import type { GroupName, GroupView, SessionView, StoredChange, StreamsView } from '../why/views.js';
import type { Hub } from './fanout/hub.js';
import { viewOf } from './session/session-view.js';
import type { StreamSession } from './session/stream-session.js';
import type { WorkerBackedStore } from './worker-store/worker-backed-store.js';

/** Groups whose names are compared with a wrong one. */
const NAMES = 200;
/** Groups whose changes are read at the same time. More would hold the event loop for one another. */
const READS_AT_ONCE = 4;

export interface WhyViewOptions {
  readonly hub: Hub;
  readonly store: WorkerBackedStore;
  readonly directory: SessionDirectory;
  readonly sessions: ReadonlySet<StreamSession>;
}

/** The streams of an engine as explanations read them. Each read is bounded, and nothing is kept. */
export class WhyView implements StreamsView {
  readonly #options: WhyViewOptions;
  /** Others wait. The admin listener bounds their number. */
  readonly #reads = new WorkSlots(READS_AT_ONCE, LIMITS.adminReads);

  constructor(options: WhyViewOptions) {
    this.#options = options;
  }

  sessionById(id: string): SessionView | undefined {
    for (const session of this.#options.sessions) if (session.knownSessionId === id) return viewOf(session);
    return undefined;
  }

  sessionsOf(identity: string, limit: number): { readonly sessions: readonly SessionView[]; readonly more: boolean } {
    const { directory, sessions } = this.#options;
    const found: SessionView[] = [];
    for (const session of directory.sessionsOf(identity)) {
      // A guest worker may have the same identity.
      if (!isIn(sessions, session)) continue;
      if (found.length === limit) return { sessions: found, more: true };
      found.push(viewOf(session));
    }
    return { sessions: found, more: false };
  }

  group(ref: GroupName): GroupView | undefined {
    const fanout = this.#options.hub.fanout(ref);
    if (fanout === undefined) return undefined;
    const { epoch, log, flushes } = fanout;
    return {
      epoch,
      head: log.head,
      flushes,
      logged: (offset) => log.entry(offset),
      newestOf: (item) => log.newestOf(item),
    };
  }

  unavailableMs(ref: GroupName): number | undefined {
    return this.#options.hub.unavailableMs(ref);
  }

  hasPositions(stream: string): boolean {
    const { store } = this.#options;
    return store.keeps('get', stream) && store.keeps('list', stream);
  }

  async head(ref: GroupName): Promise<number> {
    // No item has an empty id, so the store reads only the position.
    const { position } = await this.#options.store.get(ref, '');
    return position.offset;
  }

  async newestOf(ref: GroupName, item: string): Promise<StoredChange> {
    const { value, position } = await this.#options.store.get(ref, item);
    const { epoch } = position;
    if (value !== undefined) return { kind: 'present', offset: value.changed, epoch };
    // A tombstone shows that the item was deleted. Without one the item never was, if the store still has every tombstone of the group.
    const found = await this.#search(ref, { epoch, offset: 0 }, (entry) => entry.item === item);
    if (found === 'none') return { kind: 'never', epoch };
    if (found === 'unknown') return { kind: 'unknown', epoch };
    return { kind: found.kind === 'item' ? 'present' : 'deleted', offset: found.changed, epoch };
  }

  async itemAt(ref: GroupName, offset: number): Promise<string | undefined> {
    const { position } = await this.#options.store.get(ref, '');
    if (offset < 1 || offset > position.offset) return undefined;
    let isFirst = true;
    const found = await this.#search(ref, { epoch: position.epoch, offset: offset - 1 }, (entry) => {
      // Entries come in the order of their offsets.
      const matches = isFirst && entry.changed === offset;
      isFirst = false;
      return matches || 'stop';
    });
    return typeof found === 'string' ? undefined : found.item;
  }

  async groupNames(stream: string): Promise<readonly string[]> {
    const { store } = this.#options;
    if (!this.hasPositions(stream)) return [];
    const { names } = await store.groupsPage(stream, { limit: NAMES, after: undefined, chars: LIMITS.adminPageChars });
    return names;
  }

  /** Returns the first change after `since` that matches. `unknown`: the store has forgotten some, or there are too many to read. */
  #search(
    ref: GroupRef,
    since: { readonly epoch: string; readonly offset: number },
    matches: (entry: Entry) => boolean | 'stop',
  ): Promise<Entry | 'none' | 'unknown'> {
    return this.#reads.run(() => this.#read(ref, since, matches));
  }

  async #read(
    ref: GroupRef,
    since: { readonly epoch: string; readonly offset: number },
    matches: (entry: Entry) => boolean | 'stop',
  ): Promise<Entry | 'none' | 'unknown'> {
    const changes = await this.#options.store.changes(ref, since, 'reader');
    if (changes.kind === 'stale') return 'unknown';
    let read = 0;
    let chars = 0;
    try {
      for await (const chunk of changes.chunks()) {
        for (const entry of chunk) {
          const matched = matches(entry);
          if (matched === 'stop') return 'unknown';
          if (matched) return entry;
          if (entry.kind === 'item') chars += entry.data.length;
        }
        read += chunk.length;
        if (read >= LIMITS.whyReadChanges || chars >= LIMITS.whyReadChars) return 'unknown';
      }
      return 'none';
    } finally {
      changes.close();
    }
  }
}

type Entry = Pick<ChangeEntry, 'kind' | 'item' | 'changed'>;

function isIn(sessions: ReadonlySet<unknown>, session: unknown): session is StreamSession {
  return sessions.has(session);
}
