import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type LostLines, NonBlockingOutput } from '../../src/logging/line-output.js';

/** A pipe with space for `room` bytes. Nobody reads them until a test makes space. */
function pipe(room: number, bufferBytes = 20) {
  const state = { room, broken: false, read: '' };
  const losses: LostLines[] = [];
  const output: NonBlockingOutput = new NonBlockingOutput(9, {
    bufferBytes,
    onLoss: (lost) => {
      losses.push(lost);
      output.write('loss\n', 'log_lines_lost');
    },
    writeSync: (_fd, data) => {
      if (state.broken) throw Object.assign(new Error('broken'), { code: 'EPIPE' });
      if (state.room === 0) throw Object.assign(new Error('full'), { code: 'EAGAIN' });
      const taken = Math.min(state.room, data.length);
      state.room -= taken;
      state.read += data.toString('utf8', 0, taken);
      return taken;
    },
  });
  return { state, losses, output };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('E10 a line is with the kernel when write returns', () => {
  const { output, state } = pipe(100);
  output.write('one\n', 'a');
  expect(state.read).toBe('one\n');
});

it('E10 lines wait in a bounded buffer, the rest is dropped, and one line says later how many of which kind', () => {
  const { output, state, losses } = pipe(6);
  output.write('line 1\n', 'a');
  for (let n = 2; n < 6; n++) output.write(`line ${n}\n`, n % 2 === 0 ? 'a' : 'b');
  expect(state.read).toBe('line 1');
  expect(output.lostLines).toBe(2);
  state.room = 1_000;
  vi.advanceTimersByTime(20);
  expect(state.read).toBe('line 1\nline 2\nline 3\nloss\n');
  expect(losses).toEqual([{ a: 1, b: 1 }]);
});

it('E10 a line that was written in part is finished before the next one begins', () => {
  const { output, state } = pipe(3, 100);
  output.write('first\n', 'a');
  output.write('second\n', 'a');
  for (let n = 0; n < 10; n++) {
    state.room = 2;
    vi.advanceTimersByTime(20);
  }
  expect(state.read).toBe('first\nsecond\n');
});

it('E10 a broken pipe ends nothing; what it lost is said when somebody reads again', () => {
  const { output, state, losses } = pipe(0);
  output.write('line 1\n', 'a');
  state.broken = true;
  vi.advanceTimersByTime(20);
  output.write('line 2\n', 'b');
  Object.assign(state, { broken: false, room: 1_000 });
  output.write('line 3\n', 'b');
  expect(state.read).toBe('line 3\nloss\n');
  expect(losses).toEqual([{ waiting: 1, b: 1 }]);
});

it('E10 a flush writes what waits, and gives up when nobody reads', () => {
  const { output, state } = pipe(0);
  output.write('last\n', 'a');
  output.flush(20);
  expect(state.read).toBe('');
  state.room = 100;
  output.flush(20);
  expect(state.read).toBe('last\n');
});
