import { utf8Length } from '@rivulet/protocol';
import { StreamError } from '../access/stream-error.js';
import type { KeptCall } from './call-keeper.js';
import type { CallOutcome, CallOverlay } from './call-overlay.js';
import type { CallGroup } from './call-types.js';

/** A moment on two clocks: that of the client may stand still while the device sleeps, and that of the wall may be set back. */
export interface Moment {
  readonly steady: number;
  readonly wall: number;
}

/** A call that has no answer yet. */
export interface Call {
  readonly id: string;
  /** The members of the frame after `repeatedAfterMs`, and the end of the frame. */
  readonly tail: string;
  readonly bytes: number;
  readonly groups: readonly CallGroup[];
  readonly timeoutMs: number;
  readonly made: Moment;
  readonly overlay: CallOverlay | undefined;
  /** When the call was sent for the first time. Sendings that the engine refused before it did anything do not count. */
  sent: Moment | undefined;
  /** The value of `sent` before the last sending. */
  sentBefore: Moment | undefined;
  /** Whether the open connection owes an answer. */
  isInFlight: boolean;
  timer: unknown;
  /** Settles the promise. `undefined`: it is settled, and only the place of the call on the connection is still taken. */
  settle: ((outcome: CallOutcome) => void) | undefined;
}

/** Makes the error of a call. `state` says whether the call was sent. */
export type ErrorOf = (state: string) => StreamError;

/** Returns a call that was not sent. `now`: the steady clock. */
export function newCall(
  id: string,
  { functionId, key, timeoutMs, data, madeAt }: KeptCall,
  now: number,
  groups: readonly CallGroup[],
  overlay: CallOverlay | undefined,
  settle: (outcome: CallOutcome) => void,
): Call {
  const confirm = groups.map(({ stream, group }) => ({ streamName: stream, groupId: group }));
  const members = JSON.stringify({ callId: id, functionId, idempotencyKey: key, timeoutMs: Math.ceil(timeoutMs), confirm });
  const tail = `${members.slice(1, -1)},"data":${data}}}`;
  return {
    id,
    tail,
    bytes: utf8Length(tail),
    groups,
    timeoutMs,
    made: { steady: now, wall: madeAt },
    overlay,
    sent: undefined,
    sentBefore: undefined,
    isInFlight: false,
    timer: undefined,
    settle,
  };
}

export function sizeOf(calls: readonly Call[]): number {
  return calls.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Returns the groups without those that are named twice. */
export function distinct(groups: readonly CallGroup[]): CallGroup[] {
  return [...new Map(groups.map((each) => [JSON.stringify([each.stream, each.group]), each])).values()];
}

/** Returns the payload as JSON. Throws `serialization_error`. */
export function toJson(payload: unknown): string {
  try {
    return JSON.stringify(payload) ?? 'null';
  } catch (cause) {
    throw new StreamError('serialization_error', 'the payload of a call must be JSON', { cause });
  }
}

export function aborted(signal: AbortSignal | undefined, state: string): StreamError {
  return new StreamError('ABORTED', `the signal ended the wait; ${state}`, { cause: signal?.reason });
}

/** Returns 128 random bits. `crypto.randomUUID` exists on `https:` pages only. */
export function randomKey(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join('-');
}
