import { field, isJsonObject, parsePosition, stringField } from '@rivulet/protocol';
import type { NewOp } from '../history/op.js';

/** A call without an answer so far. */
interface PendingCall {
  readonly op: NewOp;
  readonly done: (answer: unknown, failed: boolean) => NewOp;
  /** Repeats the call when its outcome is unknown. The engine applies it once, because the idempotency key is the same. */
  readonly again?: () => void;
}

type WriteKind = 'set' | 'update' | 'delete' | 'send';

/** Handles a call of a served function. It calls `answer` with the result, at any time. */
export type Serve = (call: string, answer: (v: string) => void) => void;

/**
 * A worker for histories. It writes, reads, calls and serves functions, and records everything.
 * A lane has one open operation at a time, and its name is the process in the history. The caller owns the socket and reports `connected`,
 * `received` and `lost`.
 */
export class WorkerClient {
  readonly name: string;
  readonly #record: (op: NewOp) => void;
  readonly #vague: readonly string[];
  readonly #busy = new Set<string>();
  /** Answered calls by invocation id, so that the record of a second answer names its call. */
  readonly #answered = new Map<string, string>();
  #pending = new Map<string, PendingCall>();
  #sendText: ((text: string) => void) | undefined;
  #answer: Serve | undefined;
  #count = 0;
  readonly #again: (() => void)[] = [];

  /** `vague` are the error codes after which it is unknown whether a write was applied. */
  constructor(name: string, record: (op: NewOp) => void, vague: readonly string[] = []) {
    this.name = name;
    this.#record = record;
    this.#vague = vague;
  }

  get online(): boolean {
    return this.#sendText !== undefined;
  }

  get idle(): boolean {
    return this.#pending.size === 0;
  }

  busy(lane: string): boolean {
    return this.#busy.has(lane);
  }

  connected(send: (text: string) => void): void {
    this.#sendText = send;
    if (this.#answer !== undefined) this.#send({ type: 'registerfunction', id: 'work::echo' });
  }

  serve(answer: Serve): void {
    this.#answer = answer;
  }

  /** Returns a value that no other write has. */
  nextValue(): string {
    return `${this.name}.${++this.#count}`;
  }

  /** Sends a write and returns its value. Returns undefined when the lane is busy or the write has no value. */
  write(lane: string, f: WriteKind, g: string, k: string | undefined, pad: number): string | undefined {
    const p = this.#take(lane);
    if (p === undefined) return undefined;
    return this.#write(p, lane, f, g, k, pad, f === 'delete' ? undefined : this.nextValue(), f === 'set' && this.#count % 3 === 0);
  }

  /** Writes several items in one step: `true` sets an item, and `false` deletes it. */
  batch(lane: string, g: string, items: ReadonlyMap<string, boolean>): void {
    const p = this.#take(lane);
    if (p === undefined) return;
    const writes = [...items].map(([k, kept]) => (kept ? { k, v: this.nextValue() } : { k }));
    const base = { p, f: 'batch', g, writes } as const;
    const inputs = writes.map(({ k, v }) => ({
      item_id: k,
      ...(v === undefined ? { type: 'delete' } : { type: 'set', data: { id: k, v } }),
    }));
    const input = { ...this.#group(g), writes: inputs, with_versions: true };
    this.#ask(lane, 'stream::batch', input, { ...base, type: 'invoke' }, (answer, failed) =>
      failed ? { ...base, type: 'fail' } : { ...base, type: 'ok', ...spanOf(answer) },
    );
  }

  /** Repeats a lost write, if there is one and the worker is connected. */
  retry(): void {
    if (this.#sendText !== undefined) this.#again.shift()?.();
  }

  #write(
    p: string,
    lane: string,
    f: WriteKind,
    g: string,
    k: string | undefined,
    pad: number,
    v: string | undefined,
    keyed: boolean,
    retried = false,
  ): string | undefined {
    const base = { p, f, g, ...(k === undefined ? {} : { k }), ...(v === undefined ? {} : { v }) };
    const op: NewOp = { ...base, type: 'invoke' };
    const data = { id: k, v, ...(pad > 0 ? { pad: 'x'.repeat(pad) } : {}) };
    const input = {
      ...this.#group(g),
      ...(k === undefined ? {} : { item_id: k }),
      with_versions: true,
      ...(keyed ? { idempotency_key: `key.${v}` } : {}),
    };
    const body =
      f === 'send'
        ? { ...input, type: 'said', data }
        : f === 'update'
          ? { ...input, ops: [{ type: 'set', path: '', value: data }] }
          : { ...input, data };
    this.#ask(
      lane,
      `stream::${f}`,
      body,
      op,
      (answer, failed) => (failed ? { ...base, type: retried ? 'info' : 'fail' } : { ...base, type: 'ok', ...positionOf(answer) }),
      keyed
        ? () => {
            const again = this.#take(lane);
            if (again !== undefined) this.#write(again, lane, f, g, k, pad, v, keyed, true);
          }
        : undefined,
    );
    return v;
  }

  read(lane: string, g: string, k: string): void {
    const p = this.#take(lane);
    if (p === undefined) return;
    const base = { p, f: 'read', g, k } as const;
    this.#ask(lane, 'stream::get', { ...this.#group(g), item_id: k }, { ...base, type: 'invoke' }, (answer, failed) => {
      const v = isJsonObject(answer) ? stringField(answer, 'v') : undefined;
      return failed ? { ...base, type: 'fail' } : { ...base, type: 'ok', ...(v === undefined ? {} : { v }) };
    });
  }

  call(lane: string): void {
    const p = this.#take(lane);
    if (p === undefined) return;
    const call = this.nextValue();
    const base = { p, f: 'call', call } as const;
    this.#ask(lane, 'work::echo', { call }, { ...base, type: 'invoke' }, (answer, failed) => {
      // When the connection of a serving worker ends, it is unknown whether the function ran.
      if (failed || typeof answer !== 'string') return { ...base, type: 'info' };
      return { ...base, type: 'ok', v: answer };
    });
  }

  /** Notes that the connection ended. The outcome of every unanswered call is unknown. */
  lost(): void {
    this.#sendText = undefined;
    const pending = this.#pending;
    this.#pending = new Map();
    this.#busy.clear();
    this.#answered.clear();
    for (const { op, again } of pending.values()) {
      this.#record({ ...op, type: 'info' });
      if (again !== undefined) this.#again.push(again);
    }
  }

  #take(lane: string): string | undefined {
    if (this.#sendText === undefined || this.#busy.has(lane)) return undefined;
    this.#busy.add(lane);
    return `${this.name}.${lane}`;
  }

  #group(g: string) {
    const [stream_name, group_id] = g.split('/');
    return { stream_name, group_id };
  }

  #ask(lane: string, functionId: string, data: unknown, op: NewOp, done: PendingCall['done'], again?: () => void): void {
    const id = `${this.name}:${lane}:${++this.#count}`;
    this.#record(op);
    this.#pending.set(id, {
      op,
      done: (answer, failed) => {
        this.#busy.delete(lane);
        return done(answer, failed);
      },
      ...(again === undefined ? {} : { again }),
    });
    this.#send({ type: 'invokefunction', invocation_id: id, function_id: functionId, data });
  }

  received(text: string): void {
    const frame: unknown = JSON.parse(text);
    if (!isJsonObject(frame)) return;
    if (frame.type === 'invokefunction') this.#serve(frame.invocation_id, frame.data);
    if (frame.type !== 'invocationresult') return;
    const id = String(frame.invocation_id);
    const pending = this.#pending.get(id);
    const call = pending?.op.f === 'call' ? pending.op.call : this.#answered.get(id);
    if (call !== undefined) {
      this.#answered.set(id, call);
      this.#record({ p: `${this.name}.wire`, type: 'ok', f: 'answer', call });
    }
    if (pending === undefined) return;
    this.#pending.delete(id);
    const failed = frame.error !== undefined && frame.error !== null;
    const op = pending.done(frame.result, failed);
    if (!isJsonObject(frame.error) || !this.#vague.includes(String(frame.error.code))) {
      this.#record(op);
      return;
    }
    this.#record({ ...op, type: 'info' } as NewOp);
    if (pending.again !== undefined) this.#again.push(pending.again);
  }

  #serve(invocation: unknown, data: unknown): void {
    const call = isJsonObject(data) ? String(data.call) : '';
    this.#answer?.(call, (v) => {
      this.#record({ p: this.name, type: 'ok', f: 'exec', call, v });
      this.#send({ type: 'invocationresult', invocation_id: invocation, function_id: 'work::echo', result: v });
    });
  }

  #send(frame: unknown): void {
    this.#sendText?.(JSON.stringify(frame));
  }
}

/** Returns the position of a write, if its answer has one. */
function positionOf(answer: unknown): {
  readonly e?: string;
  readonly s?: number;
  readonly unchanged?: boolean;
  readonly replayed?: boolean;
} {
  if (isJsonObject(answer) && field(answer, 'version') === null) return { unchanged: true };
  const replayed = isJsonObject(answer) && field(answer, 'replayed') === true ? { replayed: true } : {};
  const version = isJsonObject(answer) ? stringField(answer, 'version') : undefined;
  const position = version === undefined ? undefined : parsePosition(version);
  return position === undefined ? {} : { e: position.epoch, s: position.offset, ...replayed };
}

/** Returns the range from the first to the last offset of a batch. The delete of a missing item has none. */
function spanOf(answer: unknown): { readonly e?: string; readonly first?: number; readonly s?: number } {
  const results = isJsonObject(answer) && Array.isArray(answer.results) ? answer.results : [];
  const places = results.map(positionOf).filter((place) => place.s !== undefined);
  const [first, last] = [places[0], places.at(-1)];
  if (first?.e === undefined || first.s === undefined || last?.s === undefined) return {};
  return { e: first.e, first: first.s, s: last.s };
}
