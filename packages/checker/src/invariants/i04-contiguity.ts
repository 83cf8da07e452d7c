import { Truth } from '../history/group-truth.js';
import type { CaughtUpOp, Op, RecvOp, ResumedOp, SnapshotOp } from '../history/op.js';
import type { Invariant, Report } from './invariant.js';

interface Cursor {
  e: string;
  at: number;
  /** Operation that set the cursor. */
  by: Op;
  /** Last offset of the compacted changes that are being received. */
  compactingTo?: number;
  /** Last offset of the batch that the cursor is in. */
  through?: number;
}

/** A range of offsets whose events the engine may skip. The engine must announce skipped events with a `gap`. */
interface Omission {
  readonly g: string;
  readonly e: string;
  readonly item: string | undefined;
  readonly after: number;
  readonly through: number;
  readonly op: Op;
  announced: boolean;
  /** Whether the connection ended before `caught_up`. The client then drops the changes and keeps its old position. */
  cut: boolean;
}

interface Stretch extends Pick<Omission, 'g' | 'e' | 'after' | 'through' | 'op'> {
  readonly item: string;
}

/**
 * After a stated position, offsets follow without a hole. Only a snapshot, `resumed` or `gap` may skip some. Jepsen calls a violation
 * `poll-skip`.
 */
export const contiguity: Invariant = {
  id: 'I4',
  name: 'no gap without an announcement',
  begin: (report) => new Contiguity(report),
};

class Contiguity {
  readonly #report: Report;
  readonly #cursors = new Map<string, Cursor>();
  readonly #truth = new Truth();
  /** The newest omission of each subscription that is still open. `#omissions` has all of them. */
  readonly #open = new Map<string, Omission>();
  readonly #omissions: Omission[] = [];
  /** A subscription of one item does not receive every offset. In these ranges its item must not have changed. */
  readonly #stretches: Stretch[] = [];

  constructor(report: Report) {
    this.#report = report;
  }

  see(op: Op): void {
    this.#truth.see(op);
    // A join without a position begins anew, so no offset is missing.
    if (op.f === 'join' && op.type === 'invoke' && op.s === undefined) this.#cursors.delete(op.p);
    else if (op.f === 'close') this.#cut(op.p);
    else if (op.f === 'snapshot') this.#snapshot(op);
    else if (op.f === 'resumed') this.#resumed(op);
    else if (op.f === 'caught_up') this.#caughtUp(op);
    else if (op.f === 'gap') this.#gap(op.p, op.after, op.through, op);
    else if (op.f === 'recv' && op.via === 'sdk') this.#recv(op);
  }

  end(): void {
    for (const { g, e, item, after, through, op } of this.#stretches) {
      for (const change of this.#truth.group(g, e).changes.values())
        if (change.k === item && change.s > after && change.s <= through) this.#report(`${change.s} of ${item} is left out`, change.op, op);
    }
    for (const omission of this.#omissions) {
      if (omission.announced || omission.cut) continue;
      for (const [s, k] of this.#truth.group(omission.g, omission.e).events) {
        if (s <= omission.after || s > omission.through || (omission.item !== undefined && omission.item !== k)) continue;
        this.#report(`event ${s} was skipped without a gap`, omission.op);
        break;
      }
    }
  }

  #snapshot(op: SnapshotOp): void {
    const cursor = this.#cursors.get(op.p);
    this.#settle(op.p);
    if (cursor?.e === op.e) {
      this.#notInside(cursor, op);
      // Clients that are not position-aware get no `gap`, and neither do positions of another history.
      if (op.reset !== undefined && op.reset !== 'epoch' && op.reset !== 'malformed' && op.s > cursor.at) this.#omit(op, cursor.at, op.s);
    }
    this.#cursors.set(op.p, { e: op.e, at: op.s, by: op });
  }

  #resumed(op: ResumedOp): void {
    const cursor = this.#cursors.get(op.p);
    this.#settle(op.p);
    if (cursor === undefined) {
      this.#report('it is resumed from a position that it never had', op);
    } else {
      this.#notInside(cursor, op);
      if (cursor.e !== op.e) this.#report(`its cursor was in epoch ${cursor.e}, and it is resumed in ${op.e}`, cursor.by, op);
      else if (op.from > cursor.at && op.item !== undefined)
        this.#stretches.push({ g: op.g, e: op.e, item: op.item, after: cursor.at, through: op.from, op });
      else if (op.from > cursor.at) this.#report(`its cursor was at ${cursor.at}, and it is resumed from ${op.from}`, cursor.by, op);
    }
    if (op.to < op.from) this.#report('it is resumed backwards', op);
    const at = op.item === undefined ? Math.min(cursor?.at ?? op.from, op.from) : op.from;
    this.#cursors.set(op.p, { e: op.e, at, by: op, ...(op.mode === 'changes' ? { compactingTo: op.to } : {}) });
    if (op.mode === 'changes') this.#omit(op, at, op.to);
  }

  #caughtUp(op: CaughtUpOp): void {
    const cursor = this.#cursors.get(op.p);
    if (cursor === undefined) return;
    if (cursor.compactingTo === undefined) {
      this.#available(cursor, op);
      return;
    }
    if (cursor.compactingTo !== op.s) this.#report(`changes were to end at ${cursor.compactingTo}, and end at ${op.s}`, cursor.by, op);
    this.#cursors.set(op.p, { e: op.e, at: op.s, by: op });
  }

  /** Checks the frame that says that the store is available again and everything up to its offset was delivered (RV-17). */
  #available(cursor: Cursor, op: CaughtUpOp): void {
    if (cursor.e !== op.e) this.#report(`its cursor is in epoch ${cursor.e}, and caught_up names ${op.e}`, cursor.by, op);
    else if (op.item !== undefined && op.s > cursor.at)
      this.#stretches.push({ g: op.g, e: op.e, item: op.item, after: cursor.at, through: op.s, op });
    else if (op.s > cursor.at) this.#report(`its cursor is at ${cursor.at}, and caught_up names ${op.s}`, cursor.by, op);
  }

  #recv(op: RecvOp): void {
    const cursor = this.#cursors.get(op.p);
    if (cursor === undefined) {
      this.#report('a change came before any position', op);
      this.#cursors.set(op.p, { e: op.e, at: op.s, by: op });
      return;
    }
    if (op.compacted === true) {
      if (cursor.compactingTo === undefined || op.s > cursor.compactingTo)
        this.#report('a compacted change beyond what was stated', cursor.by, op);
      return;
    }
    if (cursor.compactingTo !== undefined) this.#report('a live change before the compacted ones were over', cursor.by, op);
    this.#settle(op.p);
    if (cursor.e === op.e && op.s > cursor.at + 1 && op.item === undefined)
      this.#report(`${cursor.at} is followed by ${op.s}`, cursor.by, op);
    if (cursor.through !== undefined && op.through !== cursor.through) this.#notInside(cursor, op);
    const through = op.through !== undefined && op.through > op.s ? { through: op.through } : {};
    this.#cursors.set(op.p, {
      e: op.e,
      at: Math.max(op.s, cursor.e === op.e ? cursor.at : 0),
      by: op,
      ...(op.item === undefined ? through : {}),
    });
  }

  #gap(p: string, after: number, through: number, op: Op): void {
    const omission = this.#open.get(p);
    if (omission !== undefined && after <= omission.after && through >= omission.through) omission.announced = true;
    const cursor = this.#cursors.get(p);
    if (cursor !== undefined && cursor.compactingTo === undefined && after <= cursor.at && through > cursor.at)
      this.#cursors.set(p, { ...cursor, at: through, by: op });
  }

  #notInside(cursor: Cursor, op: Op): void {
    if (cursor.through !== undefined) this.#report(`a batch that ends at ${cursor.through} is torn at ${cursor.at}`, cursor.by, op);
  }

  #omit(op: SnapshotOp | ResumedOp, after: number, through: number): void {
    const omission = { g: op.g, e: op.e, item: op.item, after, through, op, announced: false, cut: false };
    this.#open.set(op.p, omission);
    this.#omissions.push(omission);
  }

  /** Closes the omission. A `gap` after the next live change comes too late. */
  #settle(p: string): void {
    this.#open.delete(p);
  }

  #cut(p: string): void {
    const omission = this.#open.get(p);
    this.#open.delete(p);
    const cursor = this.#cursors.get(p);
    if (omission !== undefined) omission.cut = cursor?.compactingTo !== undefined;
    // The client drops compacted changes when the connection is lost, so its position is the one before them.
    if (cursor?.compactingTo !== undefined) this.#cursors.set(p, { e: cursor.e, at: cursor.at, by: cursor.by });
  }
}
