import { formatPosition } from '@rivulet/protocol';
import type { NewOp } from '../history/op.js';
import { Mirror } from './mirror.js';
import type { Watched } from './reference-client.js';

export type HttpTarget = Omit<Watched, 'positions'>;

/** One target of a client of plain HTTP, with its state and its part of the history. */
export class HttpPlace {
  readonly target: HttpTarget;
  readonly mirror: Mirror;
  readonly #who: string;
  readonly #record: (op: NewOp) => void;
  /** Whether the target is joined on this connection, and the join did not fail. */
  joined = false;

  constructor(p: string, who: string, target: HttpTarget, record: (op: NewOp) => void) {
    this.target = target;
    this.#who = who;
    this.#record = record;
    this.mirror = new Mirror({ p, group: target.group, item: target.item, positions: true, record });
  }

  /** Path of the target: `stream/group` or `stream/group/item`. */
  get path(): string {
    const { group, item } = this.target;
    const names = [...group.split('/'), ...(item === undefined ? [] : [item])];
    return names.map(encodeURIComponent).join('/');
  }

  /** The position of the state as text; undefined before the first state. */
  get positionText(): string | undefined {
    const { position } = this.mirror;
    return position === undefined ? undefined : formatPosition(position);
  }

  /** Returns whether the state of a whole group has this value of the item. One item of a group may be another one. */
  holds(item: string, values: ReadonlyMap<string, string>): boolean {
    return this.target.item !== undefined || this.mirror.held(item) === values.get(this.target.group);
  }

  /** Records the beginning of a subscription. One without a position begins anew. */
  begin(since: { readonly epoch: string; readonly offset: number } | undefined): void {
    if (since === undefined) this.mirror.forget();
    this.mirror.joinSent();
    this.joined = true;
    this.#write('invoke', 'join', since === undefined ? {} : { e: since.epoch, s: since.offset });
  }

  refused(): void {
    if (!this.joined) return;
    this.joined = false;
    this.mirror.cut();
    this.#write('fail', 'join');
  }

  /** Records the end. `info`: the connection was lost. */
  end(type: 'ok' | 'info'): void {
    if (!this.joined) return;
    this.joined = false;
    this.mirror.cut();
    this.#write(type, 'close');
  }

  #write(type: 'invoke' | 'ok' | 'fail' | 'info', f: 'join' | 'close', position: { readonly e?: string; readonly s?: number } = {}): void {
    const { group, item } = this.target;
    const of = item === undefined ? {} : { item };
    this.#record({ p: this.mirror.options.p, type, f, g: group, who: this.#who, ...of, ...position });
  }
}
