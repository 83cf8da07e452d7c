import { flag, type Infer, number, object, oneOf, optional, text } from '../wire/decoder.js';

/** A row of `/api/sessions`. */
export const decodeSession = object({
  session_id: text,
  identity: optional(text),
  address: text,
  peer: text,
  transport: oneOf('websocket', 'sse'),
  connected_at_ms: number,
  expires_at_ms: optional(number),
  subscriptions: number,
  positions: flag,
  lag: number,
  unsent_bytes: number,
});
export type Session = Infer<typeof decodeSession>;

/** The answer of `/api/sessions/{session}` without its joins. */
export const decodeOneSession = object({ session: decodeSession });

/** A row of the joins of a session. */
export const decodeJoin = object({
  subscription_id: text,
  stream: text,
  group: text,
  item: optional(text),
  state: oneOf('joining', 'live', 'catching_up', 'stale'),
  offset: optional(number),
  lag: number,
});
export type Join = Infer<typeof decodeJoin>;

/** A row of `/api/reads`: a request of plain HTTP that has not ended. */
export const decodeRead = object({
  identity: optional(text),
  address: text,
  stream: text,
  group: text,
  item: optional(text),
  began_at_ms: number,
  waits: flag,
  offset: optional(number),
  lag: number,
  unsent_bytes: number,
});
export type Read = Infer<typeof decodeRead>;

export const decodeDisconnected = object({ disconnected: number });

const TRANSPORTS: Readonly<Record<Session['transport'], string>> = {
  websocket: 'WebSocket',
  sse: 'Event stream',
};

export function transportText({ transport }: Pick<Session, 'transport'>): string {
  return TRANSPORTS[transport];
}

/** The name of a client for people. */
export function nameOf({ identity }: Pick<Session, 'identity'>): string {
  return identity ?? 'No identity';
}
