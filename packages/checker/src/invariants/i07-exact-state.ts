import { type GroupTruth, type KnownChange, Truth } from '../history/group-truth.js';
import type { MirrorOp, Op, SnapshotOp } from '../history/op.js';
import { hashOf } from '../state-hash.js';
import type { Invariant, Report } from './invariant.js';

type StateOp = SnapshotOp | MirrorOp;

/** A state at an offset contains exactly the changes up to this offset, in the order of creation, and no part of a batch. */
export const exactState: Invariant = {
  id: 'I7',
  name: 'a state is exactly that of its offset',
  begin: (report) => {
    const truth = new Truth();
    const states = new Map<string, StateOp[]>();
    const batches = new Map<string, { readonly first: number; readonly last: number; readonly op: Op }[]>();
    return {
      see: (op) => {
        truth.see(op);
        if (op.f === 'snapshot' || op.f === 'mirror') {
          const key = `${op.g}|${op.e}`;
          const ofGroup = states.get(key);
          if (ofGroup === undefined) states.set(key, [op]);
          else ofGroup.push(op);
        }
        if (op.f === 'batch' && op.type === 'ok' && op.e !== undefined && op.first !== undefined && op.s !== undefined) {
          const key = `${op.g}|${op.e}`;
          batches.set(key, [...(batches.get(key) ?? []), { first: op.first, last: op.s, op }]);
        }
      },
      end: () => {
        for (const [key, ofGroup] of states) {
          const torn = batches.get(key) ?? [];
          for (const op of ofGroup) {
            const batch = torn.find(({ first, last }) => first <= op.s && op.s < last);
            if (batch !== undefined && op.item === undefined) report(`a state at ${op.s} holds a part of a batch`, batch.op, op);
          }
          const [one] = ofGroup;
          if (one !== undefined) sweep(ofGroup, truth, truth.group(one.g, one.e), report);
        }
      },
    };
  },
};

interface Folded {
  readonly change: KnownChange;
  readonly created: number;
}

/** Walks through the changes of a group once, and compares each state when its offset is due. */
function sweep(states: readonly StateOp[], truth: Truth, group: GroupTruth, report: Report): void {
  const changes = [...group.changes.values()].sort((a, b) => a.s - b.s);
  const items = new Map<string, Folded>();
  let next = 0;
  for (const op of [...states].sort((a, b) => a.s - b.s || a.i - b.i)) {
    for (let change = changes[next]; change !== undefined && change.s <= op.s; change = changes[++next]) {
      const before = items.get(change.k);
      const created = before?.change.v === undefined ? change.s : before.created;
      // An item that was deleted and created again is the last in the order of creation.
      if (before !== undefined && before.change.v === undefined) items.delete(change.k);
      items.set(change.k, { change, created });
    }
    if (op.item === undefined) judge(op, items, truth, group.complete, report);
    else judge(op, new Map([...items].filter(([k]) => k === op.item)), truth, group.complete, report);
  }
}

function judge(op: StateOp, folded: ReadonlyMap<string, Folded>, truth: Truth, complete: boolean, report: Report): void {
  const shown = op.items;
  if (shown === undefined) {
    if (!complete || op.loose === true) return;
    const expected = [...folded].flatMap(([k, { change, created }]) => (change.v === undefined ? [] : [[k, change.v, created] as const]));
    if (hashOf(expected) !== op.hash)
      report(`the state at ${op.s} is not what the changes make: ${op.n} items, ${expected.length} expected`, op);
    return;
  }
  let lastCreated = -1;
  const ids = new Set<string>();
  for (const [k, v, created] of shown) {
    if (op.loose !== true && created <= lastCreated) report(`${k} is out of the order of creation at ${op.s}`, op);
    lastCreated = created;
    ids.add(k);
    judgeItem(op, [k, v, created], folded.get(k), truth, complete, report);
  }
  for (const [k, { change }] of folded) {
    if (change.v === undefined || ids.has(k) || (!complete && truth.mayBeDeleted(op.g, k))) continue;
    report(`${k} is missing at ${op.s}`, change.op, op);
  }
}

function judgeItem(
  op: StateOp,
  [k, v, created]: readonly [string, string, number],
  known: Folded | undefined,
  truth: Truth,
  complete: boolean,
  report: Report,
): void {
  if (known?.change.v === v) {
    if (complete && op.loose !== true && created !== known.created)
      report(`${k} was created at ${known.created}, not ${created}`, known.change.op, op);
    return;
  }
  const place = truth.placeOf(v);
  if (place !== undefined && place.e === op.e && place.s > op.s)
    report(`${k} at ${op.s} shows what was written at ${place.s}`, known?.change.op, op);
  else if (complete || (place !== undefined && place.e === op.e))
    report(`${k} at ${op.s} shows ${v}, which is not its value there`, known?.change.op, op);
}
