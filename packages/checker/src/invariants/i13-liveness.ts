import { Truth } from '../history/group-truth.js';
import type { NemesisOp, Op } from '../history/op.js';
import type { Invariant, Report } from './invariant.js';

const LATEST_MICROSECONDS = 5_000_000;

interface Acknowledged {
  readonly e: string;
  readonly s: number;
  readonly k: string | undefined;
  readonly op: Op;
}

interface Watching {
  readonly g: string;
  readonly item: string | undefined;
  readonly since: number;
  /** Index of the next acknowledged write of the group. All writes before it have arrived. */
  next: number;
  e: string | undefined;
  at: number;
}

/**
 * A connected client receives every acknowledged write within 5 s, counted from the end of the last fault. Jepsen calls this stable
 * latency.
 */
export const liveness: Invariant = {
  id: 'I13',
  name: 'acknowledged writes arrive',
  begin: (report) => new Liveness(report),
};

class Liveness {
  readonly #report: Report;
  readonly #writes = new Map<string, Acknowledged[]>();
  readonly #watching = new Map<string, Watching>();
  /** Finds the offsets of writes whose answers have none. */
  readonly #truth = new Truth();
  #calmSince: number | undefined = 0;
  #last = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  see(op: Op): void {
    this.#last = op.t;
    this.#truth.see(op);
    if (op.f === 'nemesis') this.#calmSince = this.#calmAfter(op);
    else if (op.f === 'set' || op.f === 'update' || op.f === 'delete') {
      const place = op.e !== undefined && op.s !== undefined ? { e: op.e, s: op.s } : this.#truth.placeOf(op.v ?? '');
      if (op.type === 'ok' && place !== undefined) this.#acknowledged(op.g, { ...place, k: op.k, op });
    } else if (op.f === 'join' && op.type === 'invoke') this.#watch(op.p, op.g, op.item, op.t);
    else if (op.f === 'join' || op.f === 'close') this.#watching.delete(op.p);
    else if (op.f === 'snapshot' || op.f === 'caught_up') this.#reached(op.p, op.e, op.s, op);
    else if (op.f === 'recv' && op.via === 'sdk' && op.compacted !== true) this.#reached(op.p, op.e, op.s, op);
    // For one item, no frame may follow. Then the end of the answer is its position.
    else if (op.f === 'resumed' && op.mode === 'tail') this.#reached(op.p, op.e, op.item === undefined ? op.from : op.to, op);
  }

  end(): void {
    for (const [p, watching] of this.#watching) {
      const write = this.#pending(watching);
      if (write !== undefined && this.#lateness(write, watching, this.#last) > LATEST_MICROSECONDS)
        this.#report(`${p} never gets ${write.s} of ${watching.g}`, write.op);
    }
  }

  /** Returns since when there is no fault. A stalled checker receives everything late, so its time counts from the end of the stall. */
  #calmAfter({ verb, t }: NemesisOp): number | undefined {
    if (verb === 'heal' || verb === 'quiet') return t;
    return verb === 'stalled' && this.#calmSince !== undefined ? t : undefined;
  }

  #acknowledged(g: string, write: Acknowledged): void {
    const writes = this.#writes.get(g);
    if (writes === undefined) this.#writes.set(g, [write]);
    else writes.push(write);
  }

  #watch(p: string, g: string, item: string | undefined, since: number): void {
    this.#watching.set(p, { g, item, since, next: 0, e: undefined, at: -1 });
  }

  #reached(p: string, e: string, s: number, op: Op): void {
    const watching = this.#watching.get(p);
    if (watching === undefined) return;
    const writes = this.#writes.get(watching.g) ?? [];
    // These writes arrived before they were acknowledged.
    const known = (write: Acknowledged | undefined) => write !== undefined && write.e === watching.e && write.s <= watching.at;
    while (known(writes[watching.next])) watching.next++;
    watching.at = watching.e === e ? Math.max(watching.at, s) : s;
    watching.e = e;
    for (let write = writes[watching.next]; write !== undefined; write = writes[++watching.next]) {
      if (write.e !== e || (watching.item !== undefined && write.k !== watching.item)) continue;
      if (write.s > watching.at) return;
      const late = this.#lateness(write, watching, op.t);
      if (late > LATEST_MICROSECONDS) this.#report(`${write.s} of ${watching.g} arrives after ${(late / 1e6).toFixed(1)} s`, write.op, op);
    }
  }

  #pending(watching: Watching): Acknowledged | undefined {
    const writes = this.#writes.get(watching.g) ?? [];
    return writes
      .slice(watching.next)
      .find(
        ({ e, s, k }) =>
          (watching.e === undefined || e === watching.e) && s > watching.at && (watching.item === undefined || k === watching.item),
      );
  }

  #lateness(write: Acknowledged, watching: Watching, now: number): number {
    return this.#calmSince === undefined ? 0 : now - Math.max(write.op.t, watching.since, this.#calmSince);
  }
}
