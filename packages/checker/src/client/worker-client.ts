import { field, isJsonObject, parsePosition, stringField } from '@rivulet/protocol';
import type { NewOp } from '../history/op.js';

/** A call that waits for its answer. */
interface Asked {
  readonly op: NewOp;
  readonly done: (answer: unknown, failed: boolean) => NewOp;
  /** To be asked again when nobody knows whether it happened: under the same key it happens once. */
  readonly again?: () => void;
}

type WriteKind = 'set' | 'update' | 'delete' | 'send';

/** What a function answers a call with, in its own time. */
export type Serve = (call: string, answer: (v: string) => void) => void;

/**
 * A worker for histories: it writes, reads, calls and serves, and records everything. A lane has one operation open at a time; its name
 * is the process in the history. It owns no socket: tell it of `connected`, `received` and `lost`.
 */
export class WorkerClient {
  readonly name: string;
  readonly #record: (op: NewOp) => void;
  readonly #vague: readonly string[];
  readonly #busy = new Set<string>();
  /** Calls that were answered, by invocation: a second answer names its call. */
  readonly #answered = new Map<string, string>();
  #asked = new Map<string, Asked>();
  #sendText: ((text: string) => void) | undefined;
  #answer: Serve | undefined;
  #count = 0;
  readonly #again: (() => void)[] = [];

  /** `vague`: codes of failures after which nobody knows whether a write took place. */
  constructor(name: string, record: (op: NewOp) => void, vague: readonly string[] = []) {
    this.name = name;
    this.#record = record;
    this.#vague = vague;
  }

  get online(): boolean {
    return this.#sendText !== undefined;
  }

  get idle(): boolean {
    return this.#asked.size === 0;
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

  /** A name for the next value; no other write has it. */
  nextValue(): string {
    return `${this.name}.${++this.#count}`;
  }

  /** Answers the value that it writes; nothing when it does not write, or writes none. */
  write(lane: string, f: WriteKind, g: string, k: string | undefined, pad: number): string | undefined {
    const p = this.#take(lane);
    if (p === undefined) return undefined;
    return this.#write(p, lane, f, g, k, pad, f === 'delete' ? undefined : this.nextValue(), f === 'set' && this.#count % 3 === 0);
  }

  /** Several items in one step: those with `true` are written, those with `false` deleted. */
  batch(lane: string, g: string, items: ReadonlyMap<string, boolean>): void {
    const p = this.#take(lane);
    if (p === undefined) return;
    const writes = [...items].map(([k, kept]) => (kept ? { k, v: this.nextValue() } : { k }));
    const base = { p, f: 'batch', g, writes } as const;
    const asked = writes.map(({ k, v }) => ({
      item_id: k,
      ...(v === undefined ? { type: 'delete' } : { type: 'set', data: { id: k, v } }),
    }));
    const input = { ...this.#group(g), writes: asked, with_versions: true };
    this.#ask(lane, 'stream::batch', input, { ...base, type: 'invoke' }, (answer, failed) =>
      failed ? { ...base, type: 'fail' } : { ...base, type: 'ok', ...spanOf(answer) },
    );
  }

  /** Asks again for a write that was lost, if there is one and the worker is connected. */
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
      // Whether the function ran is not known when its worker went away.
      if (failed || typeof answer !== 'string') return { ...base, type: 'info' };
      return { ...base, type: 'ok', v: answer };
    });
  }

  /** The connection ended: whatever waits for an answer may have happened. */
  lost(): void {
    this.#sendText = undefined;
    const asked = this.#asked;
    this.#asked = new Map();
    this.#busy.clear();
    this.#answered.clear();
    for (const { op, again } of asked.values()) {
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

  #ask(lane: string, functionId: string, data: unknown, op: NewOp, done: Asked['done'], again?: () => void): void {
    const id = `${this.name}:${lane}:${++this.#count}`;
    this.#record(op);
    this.#asked.set(id, {
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
    const asked = this.#asked.get(id);
    const call = asked?.op.f === 'call' ? asked.op.call : this.#answered.get(id);
    if (call !== undefined) {
      this.#answered.set(id, call);
      this.#record({ p: `${this.name}.wire`, type: 'ok', f: 'answer', call });
    }
    if (asked === undefined) return;
    this.#asked.delete(id);
    const failed = frame.error !== undefined && frame.error !== null;
    const op = asked.done(frame.result, failed);
    if (!isJsonObject(frame.error) || !this.#vague.includes(String(frame.error.code))) {
      this.#record(op);
      return;
    }
    this.#record({ ...op, type: 'info' } as NewOp);
    if (asked.again !== undefined) this.#again.push(asked.again);
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

/** Where a write stands, if the answer tells. */
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

/** From the first offset to the last of a batch. A delete of nothing has none. */
function spanOf(answer: unknown): { readonly e?: string; readonly first?: number; readonly s?: number } {
  const results = isJsonObject(answer) && Array.isArray(answer.results) ? answer.results : [];
  const places = results.map(positionOf).filter((place) => place.s !== undefined);
  const [first, last] = [places[0], places.at(-1)];
  if (first?.e === undefined || first.s === undefined || last?.s === undefined) return {};
  return { e: first.e, first: first.s, s: last.s };
}
