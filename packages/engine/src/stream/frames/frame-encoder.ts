import {
  type ControlFrame,
  encodeChange,
  encodeControl,
  encodeEvent,
  encodeGroupSyncHead,
  encodeItemSync,
  encodeUnauthorized,
  isJsonObject,
  type JsonText,
  parseJson,
  type SyncReason,
} from '@rivulet/protocol';
import type { ChangeEntry, Commit, GroupRef, ItemRead } from '../../store/store.js';
import type { Clock } from '../../structures/clock.js';
import { encodeTextFrame } from '../../transport/websocket-frame.js';

/** Encodes commits and snapshots as the frames that stream clients read. */
export class FrameEncoder {
  readonly #clock: Clock;
  readonly #injectId: boolean;

  /** `injectId`: on the wire, an object without `id` gets its item id as `id`. The stored value stays as it is. */
  constructor(clock: Clock, injectId: boolean) {
    this.#clock = clock;
    this.#injectId = injectId;
  }

  /** Returns the frame of a commit as JSON. */
  change(commit: Commit): string {
    const { timestamp, stream: streamName, group: groupId, item: id, position, through } = commit;
    const frame = { timestamp, streamName, groupId, id, offset: position.offset, through };
    if (commit.effect === 'event') return encodeEvent(frame, commit.eventType ?? 'message', commit.data);
    return encodeChange(frame, commit.effect, this.value(id ?? '', commit.data));
  }

  /** Returns the frame of a changed item (rule RV-7) as JSON, for a client at the offset `since`. */
  compacted(ref: GroupRef, entry: ChangeEntry, since: number, timestamp: number): string {
    const { item: id, changed: offset, created } = entry;
    const frame = { timestamp, streamName: ref.stream, groupId: ref.group, id, offset, created };
    if (entry.kind === 'item') return encodeChange(frame, created > since ? 'create' : 'update', this.value(id, entry.data));
    return encodeChange(frame, 'delete', entry.valueId === undefined ? '{}' : `{"id":${entry.valueId}}`);
  }

  /** Returns the beginning of the `sync` of a group. Values follow, and then the tail of `encodeGroupSyncTail`. */
  groupSyncHead(ref: GroupRef, timestamp: number): string {
    return encodeGroupSyncHead(timestamp, ref.stream, ref.group);
  }

  /** Returns the `sync` of an item as JSON. */
  itemSync(ref: GroupRef, item: string, read: ItemRead, reason: SyncReason | undefined): string {
    const { position, timestamp, value } = read;
    const frame = { timestamp, streamName: ref.stream, groupId: ref.group, id: item, ...position, reason };
    return encodeItemSync(frame, value === undefined ? 'null' : this.value(item, value.data), value?.created);
  }

  /** Returns the frame of a refused join as JSON. */
  unauthorized(stream: string, group: string, item: string | undefined): string {
    return encodeUnauthorized(this.#clock.now(), stream, group, item);
  }

  /** Returns a control frame as a finished WebSocket frame. */
  control(frame: ControlFrame): Buffer {
    return encodeTextFrame(encodeControl(frame));
  }

  /** Returns a stored value as clients read it. */
  value(item: string, data: JsonText): JsonText {
    if (!this.#injectId || !data.startsWith('{')) return data;
    const value: unknown = parseJson(data);
    if (!isJsonObject(value) || Object.hasOwn(value, 'id')) return data;
    const id = `{"id":${JSON.stringify(item)}`;
    return data === '{}' ? `${id}}` : `${id},${data.slice(1)}`;
  }
}
