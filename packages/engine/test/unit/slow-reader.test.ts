import { describe, expect, it } from 'vitest';
import { type Patience, SlowReader } from '../../src/transport/slow-reader.js';

const PING = 6;
const TRANSFER: Patience = { kind: 'transfer' };
const STRICT: Patience = { kind: 'strict' };
const PATIENT: Patience = { kind: 'patient', inTimeout: 100, inInterval: 250 };
const bytes = (written: number, buffered = 0) => ({ written, taken: written - buffered, buffered });

type Step = 'probe' | 'heard' | 'ponged';

/** Takes the steps, and returns whether the last probe sent a ping and whether the reader now waits for a sign of life. */
function after(...steps: readonly Step[]): { readonly sent: boolean | undefined; readonly waits: boolean } {
  const reader = new SlowReader(0);
  let sent: boolean | undefined;
  for (const step of steps) {
    if (step === 'probe') sent = reader.probe(bytes(0));
    else if (step === 'heard') reader.heard();
    else reader.ponged(PING);
  }
  return { sent, waits: reader.judge(STRICT, bytes(0)) === 'lost' };
}

describe('the table of transitions', () => {
  it.each<{ from: string; steps: readonly Step[]; sent: boolean | undefined; waits: boolean }>([
    { from: 'idle', steps: ['heard'], sent: undefined, waits: false },
    { from: 'idle', steps: ['ponged'], sent: undefined, waits: false },
    { from: 'idle', steps: ['probe'], sent: true, waits: true },
    { from: 'pinged', steps: ['probe', 'probe'], sent: false, waits: true },
    { from: 'pinged', steps: ['probe', 'heard'], sent: true, waits: false },
    { from: 'pinged', steps: ['probe', 'ponged'], sent: true, waits: false },
    { from: 'heard', steps: ['probe', 'heard', 'probe'], sent: false, waits: true },
    { from: 'heard', steps: ['probe', 'heard', 'heard'], sent: true, waits: false },
    { from: 'heard', steps: ['probe', 'heard', 'ponged', 'probe'], sent: true, waits: true },
  ])('from $from: $steps', ({ steps, sent, waits }) => {
    expect(after(...steps)).toEqual({ sent, waits });
  });
});

describe('the judgement of a peer that is late', () => {
  it('spares the reader of a transfer while something may be unread', () => {
    const reader = new SlowReader(10);
    reader.probe(bytes(10));
    expect(reader.judge(TRANSFER, bytes(10))).toBe('lost');
    expect(reader.judge(TRANSFER, bytes(20, 5))).toBe('spared');
    reader.ponged(PING);
    reader.probe(bytes(1_000));
    for (let turn = 0; turn < 100; turn++) expect(reader.judge(TRANSFER, bytes(1_000))).toBe('spared');
  });

  it('is strict about a queue that stands still, and counts only bytes that were buffered at the probe', () => {
    const reader = new SlowReader(0);
    reader.probe(bytes(1_000, 500));
    expect(reader.judge(STRICT, bytes(1_000, 500))).toBe('lost');
    expect(reader.judge(STRICT, bytes(1_000, 499))).toBe('spared');
    const empty = new SlowReader(0);
    empty.probe(bytes(1_000));
    expect(empty.judge(STRICT, bytes(2_000))).toBe('lost');
  });

  it('is patient for as long as the slowest reader needs for the bytes before the ping', () => {
    const reader = new SlowReader(0);
    reader.probe(bytes(600));
    expect([1, 2, 3].map(() => reader.judge(PATIENT, bytes(600)))).toEqual(['spared', 'spared', 'lost']);
    const buffered = new SlowReader(0);
    buffered.probe(bytes(600, 1));
    for (let turn = 0; turn < 100; turn++) expect(buffered.judge(PATIENT, bytes(600, 1))).toBe('spared');
  });

  it('counts only the bytes behind the last ping that was answered', () => {
    const reader = new SlowReader(0);
    reader.probe(bytes(600));
    reader.ponged(PING);
    reader.probe(bytes(600 + PING + 100));
    expect(reader.judge(PATIENT, bytes(706))).toBe('lost');
  });
});
