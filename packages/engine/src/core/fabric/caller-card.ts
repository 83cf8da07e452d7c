import type { JsonText } from '@rivulet/protocol';

/** The caller of a function, as the function gets it in `_caller`. docs/access.md describes the fields. */
export interface CallerFields {
  /** `page`: a client of the stream listener. */
  readonly kind: 'guest' | 'page' | 'worker';
  readonly worker_id: string | null;
  readonly session_id: string | null;
  readonly identity: string | null;
  readonly context: unknown;
}

/** The fields of one session as JSON text. The text is written once for all calls of the session. */
export interface CallerCard {
  readonly fields: CallerFields;
  /** Text for functions of trusted workers. */
  readonly full: JsonText;
  /** Text for functions of guests. It has no context, because the context is meant for trusted workers. */
  readonly brief: JsonText;
}

export function callerCard(fields: CallerFields): CallerCard {
  return { fields, full: JSON.stringify(fields), brief: JSON.stringify({ ...fields, context: null }) };
}

/** Returns the fields of a caller with the idempotency key of its call, if it has one. */
export function withKey(fields: CallerFields, idempotencyKey: string | undefined): object {
  return idempotencyKey === undefined ? fields : { ...fields, idempotency_key: idempotencyKey };
}

/** Stands for a session that has ended or never existed: a guest without any name. */
export const UNKNOWN_GUEST: CallerCard = callerCard({ kind: 'guest', worker_id: null, session_id: null, identity: null, context: {} });
