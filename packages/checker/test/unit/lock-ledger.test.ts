import { describe, expect, it } from 'vitest';
import type { AgentReport } from '../../src/lock-trials/agent-messages.js';
import { Ledger } from '../../src/lock-trials/ledger.js';

const opened = (offset: number, values: Record<string, number> = {}): AgentReport => ({ kind: 'opened', offset, values });
const written = (owner: string, offset: number, value: number): AgentReport => ({ kind: 'written', owner, offset, value });

function findingsOf(...reports: readonly (readonly [string, AgentReport])[]): readonly string[] {
  const ledger = new Ledger();
  for (const [agent, report] of reports) ledger.add(agent, report);
  return ledger.wrong;
}

describe('the ledger of the lock trials', () => {
  it('finds nothing wrong when one owner follows another, also when the last write of the first is reported late', () => {
    expect(
      findingsOf(
        ['a', opened(0)],
        ['a', written('a1', 1, 1)],
        ['b', opened(2, { a1: 2 })],
        ['a', { kind: 'lost' }],
        ['a', written('a1', 2, 2)],
        ['b', written('b1', 3, 1)],
      ),
    ).toEqual([]);
  });

  it('finds an offset that two owners got', () => {
    expect(findingsOf(['a', written('a1', 1, 1)], ['b', written('b1', 1, 1)])).toEqual(['offset 1 was given to a1 and to b1']);
  });

  it('finds an acknowledged write that the next owner does not have', () => {
    expect(findingsOf(['a', written('a1', 1, 5)], ['b', opened(1, { a1: 4 })])).toEqual(['b opened the store without value 5 of a1']);
  });

  it('finds a write of an owner that lost the store, or that another owner has opened', () => {
    expect(findingsOf(['a', { kind: 'lost' }], ['a', written('a1', 1, 1)], ['a', written('a1', 2, 2)])).toEqual([
      'a gave out offset 2 after it had lost the store',
    ]);
    expect(findingsOf(['a', written('a1', 4, 1)], ['b', opened(3, { a1: 1 })])).toEqual(['b opened the store at 3, and a1 had written 4']);
    expect(findingsOf(['a', opened(0)], ['b', opened(3)], ['a', written('a1', 4, 1)])).toEqual([
      'a gave out offset 4 after b had opened the store at 3',
    ]);
  });
});
