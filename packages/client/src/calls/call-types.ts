import type { Item } from '../subscription/mirror.js';
import type { CallKeeper } from './call-keeper.js';

/*
 * `Streams` is a map from the name of a stream to the type of its items. `Functions` is a map from the id of a function to the types of its
 * `payload` and `result`. Without a map, which is `unknown`, any name fits, and the page states the types where it uses them. A function
 * for any client has both as type parameters.
 */

/** The names that fit: those in a map of types, or any name without a map. */
export type NameIn<Map> = unknown extends Map ? string : keyof Map & string;

/** Any name if there is no map of types; otherwise none. */
export type UntypedName<Map> = unknown extends Map ? string : never;

/** The type of the items of a stream. */
export type ItemOf<Streams, Name> = Name extends keyof Streams ? Streams[Name] : unknown;

/** The type of the payload of a function. */
export type PayloadOf<Functions, Name> = ItemOf<Functions, Name> extends { readonly payload: infer Payload } ? Payload : unknown;

/** The type of the result of a function. */
export type ResultOf<Functions, Name> = ItemOf<Functions, Name> extends { readonly result: infer Result } ? Result : unknown;

/** The arguments of a call after the name. The payload may be left out if `undefined` is a payload of the function. */
export type CallArguments<Payload, Streams> = undefined extends Payload
  ? [payload?: Payload, options?: CallOptions<Streams>]
  : [payload: Payload, options?: CallOptions<Streams>];

/** A group of a stream. */
export interface CallGroup<Streams = unknown> {
  readonly stream: NameIn<Streams>;
  readonly group: string;
}

/**
 * The items of one group as an optimistic change sees them: with the changes of earlier calls, and with its own. A change does nothing but
 * call these methods. The client runs it again whenever the items change on the server.
 */
export interface DraftGroup<T> {
  readonly items: readonly Item<T>[];
  get(id: string): Item<T> | undefined;
  /** Creates or replaces an item. */
  set(id: string, data: T): void;
  /** Replaces the value of an item by what `change` returns. Without the item it does nothing. */
  update(id: string, change: (old: T) => T): void;
  delete(id: string): void;
}

/** The groups that an optimistic change may change. */
export interface Draft<Streams = unknown> {
  group<T = unknown>(stream: UntypedName<Streams>, group: string): DraftGroup<T>;
  group<Name extends NameIn<Streams>>(stream: Name, group: string): DraftGroup<ItemOf<Streams, Name>>;
}

export interface CallOptions<Streams = unknown> {
  /**
   * The milliseconds that the function has. Then the engine ends the call with `TIMEOUT`. The engine may have a shorter bound. To bound
   * the whole wait, without a connection too, give `signal: AbortSignal.timeout(…)`.
   * @default 30,000
   */
  readonly timeoutMs?: number;
  /**
   * Ends the wait with `ABORTED`. A call that is not sent yet is not sent any more. A call that is sent may still take effect.
   * @default none
   */
  readonly signal?: AbortSignal;
  /**
   * Groups that the function writes, besides those that `optimistic` changes. At most 8 together. The answer has the position of each.
   * @default none
   */
  readonly confirm?: readonly CallGroup<Streams>[];
  /**
   * Shows the effect of the call at once in the views of this client. The client runs the function again over each new state, so it must
   * have no effect but on the draft. It needs the option `optimistic` of `connect`.
   * @default none
   */
  readonly optimistic?: (draft: Draft<Streams>) => void;
  /**
   * The name of this call, 1 to 256 bytes. Calls of one function with the same key take effect at most once together.
   * @default a random key
   */
  readonly idempotencyKey?: string;
}

/** The bounds of the calls that wait for a connection. */
export interface CallsOptions {
  /**
   * The most calls that wait. A further call is rejected with `QUEUE_FULL`.
   * @default 100
   */
  readonly maxQueued?: number;
  /**
   * The most bytes of all calls that wait, and of one call.
   * @default 262,144
   */
  readonly maxQueuedBytes?: number;
  /**
   * The milliseconds that a call may wait. Then it is rejected with `NOT_SENT`, or with `OUTCOME_UNKNOWN` if it was sent before.
   * @default 600,000
   */
  readonly maxAgeMs?: number;
  /**
   * Keeps the calls without an answer, so that the next page sends them: `keepCalls(name, identity)` of `@rivulet/client/kept-calls`.
   * @default none
   */
  readonly persist?: CallKeeper;
}

/** The type keeps the list of options complete. */
export const CALL_RULES = {
  timeoutMs: 'a number from 1 to 2147483647',
  signal: 'an object',
  confirm: 'an object',
  optimistic: 'a function',
  idempotencyKey: 'a string',
} satisfies Record<keyof CallOptions, string>;

/** The type keeps the list of options complete. */
export const CALLS_RULES = {
  maxQueued: 'a number from 0',
  maxQueuedBytes: 'a number from 0',
  maxAgeMs: 'a number from 0 to 2147483647',
  persist: 'an object',
} satisfies Record<keyof CallsOptions, string>;
