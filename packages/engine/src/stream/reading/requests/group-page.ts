import { formatPosition, LIMITS, type Position, percentEncode } from '@rivulet/protocol';
import { listGroup } from '../../../store/callers/list-group.js';
import { ListSlots } from '../../../store/callers/list-slots.js';
import type { FrameEncoder } from '../../frames/frame-encoder.js';
import type { WorkerBackedStore } from '../../worker-store/worker-backed-store.js';
import { type Answer, entityTag, namesTag } from './answer.js';
import type { ReadQuery, ReadRef } from './read-target.js';

/** Reads the present state of groups and items for plain requests (rule RV-51). */
export class GroupPages {
  readonly #store: WorkerBackedStore;
  readonly #frames: FrameEncoder;
  readonly #slots = new ListSlots();

  constructor(store: WorkerBackedStore, frames: FrameEncoder) {
    this.#store = store;
    this.#frames = frames;
  }

  /** Returns whether the state of a group or an item has a position. A stream that a worker stores has none. */
  hasPositions({ stream, item }: ReadRef): boolean {
    return this.#store.keeps(item === undefined ? 'list' : 'get', stream);
  }

  /** Returns the state of an item, or a page of a group. `known`: the header `If-None-Match`. Rejects with a `RivuletError`. */
  async read(ref: ReadRef, query: ReadQuery, known: string | undefined): Promise<Answer> {
    const { item } = ref;
    if (item === undefined) return this.#page(ref, query, known);
    const { value, position } = await this.#store.get(ref, item);
    const hasPositions = this.hasPositions(ref);
    const rows = value === undefined ? '' : this.#row(item, value.data);
    return answer(ref, rows, { position: hasPositions ? position : undefined, page: '', next: undefined }, known);
  }

  async #page(ref: ReadRef, query: ReadQuery, known: string | undefined): Promise<Answer> {
    const page = pageOf(query);
    // A worker that serves the stream may itself read groups meanwhile, so its lists take no slot.
    if (!this.hasPositions(ref)) return this.#list(ref, query, page, known);
    if (known !== undefined) {
      const { position } = await this.#store.get(ref, '');
      const etag = entityTag(formatPosition(position), page);
      if (namesTag(known, etag)) return { status: 304, body: undefined, etag, cache: 'state' };
    }
    return this.#slots.run(() => this.#list(ref, query, page, known));
  }

  async #list(ref: ReadRef, { limit, after }: ReadQuery, page: string, known: string | undefined): Promise<Answer> {
    const hasPositions = this.hasPositions(ref);
    const { rows, position, next } = await listGroup(this.#store.listed(ref.stream), ref, {
      row: ({ item, data }) => this.#row(item, data),
      limit: limit ?? LIMITS.readPageItems,
      after,
      maxBytes: LIMITS.readPageMostBytes,
      fullBytes: LIMITS.readPageBytes,
    });
    return answer(ref, rows.slice(1, -1), { position: hasPositions ? position : undefined, page, next }, known);
  }

  #row(item: string, data: string): string {
    return `{"id":${JSON.stringify(item)},"data":${this.#frames.value(item, data)}}`;
  }
}

interface State {
  /** `undefined` when a worker stores the stream, which has no positions. */
  readonly position: Position | undefined;
  /** The page as a part of the entity tag. */
  readonly page: string;
  readonly next: string | undefined;
}

function answer({ stream, group }: ReadRef, rows: string, { position, page, next }: State, known: string | undefined): Answer {
  const text = position === undefined ? undefined : formatPosition(position);
  const etag = text === undefined ? undefined : entityTag(text, page);
  const cache = etag === undefined ? 'none' : 'state';
  if (etag !== undefined && namesTag(known, etag)) return { status: 304, body: undefined, etag, cache };
  const head = `{"stream":${JSON.stringify(stream)},"group":${JSON.stringify(group)},"position":${JSON.stringify(text ?? null)}`;
  const tail = next === undefined ? '' : `,"next":${JSON.stringify(next)}`;
  return { status: 200, body: Buffer.from(`${head},"items":[${rows}]${tail}}`), etag, cache };
}

function pageOf({ limit, after }: ReadQuery): string {
  if (limit === undefined && after === undefined) return '';
  return `/${limit ?? ''}/${after === undefined ? '' : percentEncode(after)}`;
}
