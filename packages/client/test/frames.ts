/** The frames of an engine for the group `chat`/`r1`, as they are on the wire. */

const STREAM = { type: 'stream', timestamp: 1, streamName: 'chat', groupId: 'r1' } as const;

const value = (id: string, text: string) => ({ id, text });

type Extra = Readonly<Record<string, unknown>>;

export const create = (offset: number, id: string, text: string, extra: Extra = {}) => ({
  ...STREAM,
  id,
  event: { type: 'create', data: value(id, text) },
  offset,
  ...extra,
});

export const update = (offset: number, id: string, text: string, extra: Extra = {}) => ({
  ...STREAM,
  id,
  event: { type: 'update', data: value(id, text) },
  offset,
  ...extra,
});

export const remove = (offset: number, id: string, extra: Extra = {}) => ({
  ...STREAM,
  id,
  event: { type: 'delete', data: { id } },
  offset,
  ...extra,
});

export const event = (offset: number, name: string, data: unknown = null, id: string | null = null) => ({
  ...STREAM,
  id,
  event: { type: 'event', event: { type: name, data } },
  offset,
});

/** Returns a `sync`. A row is `[id, text, created]`. */
export const sync = (offset: number, rows: readonly (readonly [string, string, number])[], extra: Extra = {}) => ({
  ...STREAM,
  id: null,
  event: { type: 'sync', data: rows.map(([id, text]) => value(id, text)) },
  ids: rows.map(([id]) => id),
  created: rows.map(([, , created]) => created),
  offset,
  epoch: 'e1',
  ...extra,
});

export const itemSync = (offset: number, id: string, text: string | undefined, created?: number, extra: Extra = {}) => ({
  ...STREAM,
  id,
  event: { type: 'sync', data: text === undefined ? null : value(id, text) },
  ...(created === undefined ? {} : { created }),
  offset,
  epoch: 'e1',
  ...extra,
});

export const syncing = (subscriptionId: unknown) => ({ type: 'syncing', data: { subscriptionId } });

export const stale = (subscriptionId: unknown) => ({ type: 'stale', data: { subscriptionId } });

export const resumed = (subscriptionId: unknown, mode: 'tail' | 'changes', from: number, to: number, epoch = 'e1') => ({
  type: 'resumed',
  data: { subscriptionId, mode, epoch, from, to },
});

export const caughtUp = (subscriptionId: unknown, offset: number, epoch = 'e1') => ({
  type: 'caught_up',
  data: { subscriptionId, epoch, offset },
});

export const gap = (subscriptionId: unknown, after: number, through: number, count?: number) => ({
  type: 'gap',
  data: { subscriptionId, after, through, count },
});

export const failure = (code: string, subscriptionId?: unknown) => ({ type: 'error', data: { subscriptionId, code, message: code } });

export const unauthorized = () => ({ ...STREAM, id: null, event: { type: 'unauthorized' } });

/** Returns a frame as a server without positions sends it. */
export function plain({ offset: _offset, ids: _ids, created: _created, epoch: _epoch, ...frame }: Record<string, unknown>): object {
  return frame;
}
