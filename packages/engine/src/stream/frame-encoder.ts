import {
  encodeChange,
  encodeEvent,
  encodeGroupSyncHead,
  encodeItemSync,
  encodeUnauthorized,
  GROUP_SYNC_TAIL,
  isJsonObject,
  type JsonText,
} from '@rivulet/protocol';
import type { Commit, GroupRef, ItemRead } from '../store/store.js';
import type { Clock } from '../structures/clock.js';

/** Turns commits and snapshots into the frames that stream clients see. */
export class FrameEncoder {
  readonly #clock: Clock;
  readonly #injectId: boolean;
  readonly groupSyncTail = GROUP_SYNC_TAIL;

  /** `injectId`: object values without an `id` get their item id as one, on the wire only. */
  constructor(clock: Clock, injectId: boolean) {
    this.#clock = clock;
    this.#injectId = injectId;
  }

  change(commit: Commit): string {
    const { timestamp, stream: streamName, group: groupId, item: id, through } = commit;
    const frame = { timestamp, streamName, groupId, id, through };
    if (commit.effect === 'event') return encodeEvent(frame, commit.eventType ?? 'message', commit.data);
    return encodeChange(frame, commit.effect, this.value(commit.item ?? '', commit.data));
  }

  groupSyncHead(ref: GroupRef, timestamp: number): string {
    return encodeGroupSyncHead(timestamp, ref.stream, ref.group);
  }

  itemSync(ref: GroupRef, item: string, read: ItemRead): string {
    const data = read.value === undefined ? 'null' : this.value(item, read.value.data);
    return encodeItemSync({ timestamp: read.timestamp, streamName: ref.stream, groupId: ref.group, id: item }, data);
  }

  unauthorized(stream: string, group: string): string {
    return encodeUnauthorized(this.#clock.now(), stream, group);
  }

  /** A stored value as clients see it. */
  value(item: string, data: JsonText): JsonText {
    if (!this.#injectId || !data.startsWith('{')) return data;
    const value: unknown = JSON.parse(data);
    if (!isJsonObject(value) || Object.hasOwn(value, 'id')) return data;
    const id = `{"id":${JSON.stringify(item)}`;
    return data === '{}' ? `${id}}` : `${id},${data.slice(1)}`;
  }
}
