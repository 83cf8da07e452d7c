import type { JsonText } from '@rivulet/protocol';

/** Who calls a function, as the function gets it in `_caller`. docs/access.md has the fields. */
export interface CallerFields {
  readonly kind: 'guest' | 'worker';
  readonly worker_id: string | null;
  readonly session_id: string | null;
  readonly identity: string | null;
  readonly context: unknown;
}

/** The fields of one session as JSON text, written once for all its calls. */
export interface CallerCard {
  readonly fields: CallerFields;
  /** For functions of trusted workers. */
  readonly full: JsonText;
  /** For functions that guests serve: without the context, which the auth function wrote for trusted workers. */
  readonly brief: JsonText;
}

export function callerCard(fields: CallerFields): CallerCard {
  return { fields, full: JSON.stringify(fields), brief: JSON.stringify({ ...fields, context: null }) };
}

/** Stands in for a session that has ended, or never was: a guest without any name. */
export const UNKNOWN_GUEST: CallerCard = callerCard({ kind: 'guest', worker_id: null, session_id: null, identity: null, context: {} });
