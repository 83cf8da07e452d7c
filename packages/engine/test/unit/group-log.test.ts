import { countReleased } from '@rivulet/testkit/measures/heap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GroupLog } from '../../src/stream/fanout/group-log.js';

const frameOf = (offset: number, size = 4) => Buffer.from(`<${offset}>`.padEnd(size, '.'));
const WHOLE = { maxBytes: Number.POSITIVE_INFINITY };

/** Returns a log of the offsets 1 to `count`, of the items a, b and c in turn. Each fourth change belongs to the whole group. */
function filled(count: number): GroupLog {
  const log = new GroupLog();
  for (let offset = 1; offset <= count; offset++) log.append(offset, [undefined, 'a', 'b', 'c'][offset % 4], frameOf(offset), offset * 10);
  return log;
}

describe('the log of a group', () => {
  it('begins where the first change or `begin` says, and only once', () => {
    const log = new GroupLog();
    expect([log.begun, log.length, log.bytes, log.oldestTime]).toEqual([false, 0, 0, undefined]);
    log.begin(7);
    log.begin(3);
    expect([log.begun, log.base, log.head]).toEqual([true, 7, 7]);
    const other = new GroupLog();
    expect(other.append(42, 'a', frameOf(42), 0)).toBe(true);
    expect([other.base, other.head, other.length]).toEqual([41, 42, 1]);
  });

  it('takes each change once and ignores those that it knows', () => {
    const log = filled(3);
    expect([log.append(3, 'a', frameOf(3), 0), log.append(1, 'a', frameOf(1), 0)]).toEqual([false, false]);
    expect([log.length, log.head]).toEqual([3, 3]);
  });

  it('forgets everything before a hole, so that no cursor skips it', () => {
    const log = filled(3);
    expect(log.append(6, 'a', frameOf(6), 60)).toBe(true);
    expect([log.base, log.head, log.length, log.oldestTime]).toEqual([5, 6, 1, 60]);
    expect(log.stretch(5, WHOLE)).toEqual({ frames: frameOf(6), cursor: 6 });
  });

  it('starts anew after a break, also at a lower offset', () => {
    const log = filled(3);
    log.restart(1);
    expect([log.base, log.head, log.length, log.bytes]).toEqual([1, 1, 0, 0]);
    expect(log.append(2, 'a', frameOf(2), 20)).toBe(true);
    expect(log.stretch(1, WHOLE).cursor).toBe(2);
  });

  it('cuts stretches at the byte bound, but gives at least one frame', () => {
    const log = new GroupLog();
    for (const offset of [1, 2, 3]) log.append(offset, 'a', frameOf(offset, 100), 0);
    expect(log.stretch(0, { maxBytes: 1 })).toEqual({ frames: frameOf(1, 100), cursor: 1 });
    expect(log.stretch(0, { maxBytes: 200 })).toEqual({ frames: Buffer.concat([frameOf(1, 100), frameOf(2, 100)]), cursor: 2 });
    expect(log.stretch(0, { maxBytes: 299 }).cursor).toBe(2);
    expect(log.stretch(3, WHOLE)).toEqual({ frames: undefined, cursor: 3 });
  });

  it('passes over what a filter does not want, without limit, and moves the cursor there', () => {
    const log = filled(8);
    const filter = { wants: (item: string | undefined) => item === 'c' };
    expect(log.stretch(0, { maxBytes: 1, filter })).toEqual({ frames: frameOf(3), cursor: 6 });
    expect(log.stretch(6, { maxBytes: 1, filter })).toEqual({ frames: frameOf(7), cursor: 8 });
    expect(log.stretch(0, { ...WHOLE, filter: { wants: () => false } })).toEqual({ frames: undefined, cursor: 8 });
  });

  it('stops at the offset that is asked for, and at the head', () => {
    const log = filled(5);
    expect(log.stretch(1, { ...WHOLE, through: 3 }).cursor).toBe(3);
    expect(log.stretch(1, { ...WHOLE, through: 1 })).toEqual({ frames: undefined, cursor: 1 });
    expect(log.stretch(1, { ...WHOLE, through: 99 }).cursor).toBe(5);
  });

  it('names the items that changed after an offset, each once and no change of the whole group', () => {
    const log = filled(8);
    expect([...log.changedItems(5)]).toEqual(['b', 'c']);
    expect([...log.changedItems(8)]).toEqual([]);
    log.dropOldest();
    expect([...log.changedItems(0)]).toEqual(['b', 'c', 'a']);
  });

  it('hands back the bytes that it charged, and holds no frame that it dropped', async () => {
    const log = new GroupLog();
    const refs: WeakRef<Buffer>[] = [];
    for (let offset = 1; offset <= 60; offset++) {
      const frame = Buffer.alloc(1_000);
      refs.push(new WeakRef(frame));
      log.append(offset, 'a', frame, 0);
    }
    const charged = log.bytes;
    let freed = 0;
    for (let n = 0; n < 59; n++) freed += log.dropOldest();
    expect(freed + log.bytes).toBe(charged);
    expect(await countReleased(refs)).toBe(59);
    freed += log.dropOldest();
    expect([freed, log.bytes, log.length, log.dropOldest()]).toEqual([charged, 0, 0, 0]);
  });

  it('answers after any appends, drops and breaks as a plain list of entries does', () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constant('append' as const), skip: fc.constantFrom(1, 1, 1, 1, 1, 0, 3), size: fc.nat(40) }),
      },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('drop' as const), count: fc.nat(120) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), offset: fc.nat(50) }) },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.integer({ min: 1, max: 90 })), { maxLength: 40 }), fc.nat(200), (steps, maxBytes) => {
        const log = new GroupLog();
        log.begin(0);
        let model: { offset: number; item: string | undefined; frame: Buffer }[] = [];
        let base = 0;
        let head = 0;
        for (const [action, times] of steps) {
          if (action.kind === 'restart') {
            log.restart(action.offset);
            [model, base, head] = [[], action.offset, action.offset];
          } else if (action.kind === 'drop') {
            for (let n = 0; n < action.count; n++) log.dropOldest();
            base += model.splice(0, action.count).length;
          } else {
            for (let n = 0; n < times; n++) {
              const offset = head + (n === 0 ? action.skip : 1);
              const item = offset % 5 === 0 ? undefined : `i${offset % 3}`;
              const frame = frameOf(offset, action.size);
              if (log.append(offset, item, frame, offset) !== offset > head) return false;
              if (offset <= head) continue;
              if (offset !== head + 1) [model, base] = [[], offset - 1];
              model.push({ offset, item, frame });
              head = offset;
            }
          }
        }
        const states = [log.base, log.head, log.length, log.oldestTime].join();
        if (states !== [base, head, model.length, model[0]?.offset].join()) return false;
        for (let cursor = base; cursor < head; ) {
          const stretch = log.stretch(cursor, { maxBytes });
          const after = model.filter(({ offset }) => offset > cursor);
          const owed = after.filter(({ offset }) => offset <= stretch.cursor).map(({ frame }) => frame);
          const items = new Set(after.map(({ item }) => item).filter((item) => item !== undefined));
          const exact = stretch.cursor > cursor && Buffer.concat(owed).equals(stretch.frames ?? Buffer.alloc(0));
          const bounded = owed.length === 1 || Buffer.concat(owed).length <= maxBytes;
          if (!exact || !bounded || [...log.changedItems(cursor)].join() !== [...items].join()) return false;
          cursor = stretch.cursor;
        }
        return true;
      }),
      { seed: 20_261, numRuns: 300 },
    );
  });
});
