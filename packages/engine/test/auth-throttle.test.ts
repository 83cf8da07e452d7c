import { beforeEach, describe, expect, it } from 'vitest';
import { AuthThrottle } from '../src/stream/auth-throttle.js';

const BURST = 60;
const ADDRESSES = 10_000;
let seconds = 0;
let throttle: AuthThrottle;

function refuse(address: string, times = 1): void {
  for (let n = 0; n < times; n++) throttle.refused(address);
}

beforeEach(() => {
  seconds = 100;
  throttle = new AuthThrottle({ now: () => 0, monotonic: () => seconds * 1_000 });
});

describe('the throttle of refused addresses', () => {
  it('blocks an address from its 60th refusal on, and nobody else', () => {
    refuse('a', BURST - 1);
    expect([throttle.blocks('a'), throttle.blocks('b')]).toEqual([false, false]);
    refuse('a');
    expect([throttle.blocks('a'), throttle.blocks('b')]).toEqual([true, false]);
  });

  it('forgets one refusal in a second', () => {
    refuse('a', BURST + 4);
    seconds += 4;
    expect(throttle.blocks('a')).toBe(true);
    seconds += 0.5;
    expect(throttle.blocks('a')).toBe(false);
    refuse('a');
    expect(throttle.blocks('a')).toBe(true);
    seconds += 1_000_000;
    refuse('a', BURST - 1);
    expect(throttle.blocks('a')).toBe(false);
  });

  it('never blocks an address that is refused once in a second', () => {
    for (let n = 0; n < 1_000; n++) {
      refuse('a');
      expect(throttle.blocks('a')).toBe(false);
      seconds += 1;
    }
  });

  it('remembers 10,000 addresses and forgets the one that was refused longest ago', () => {
    refuse('first', BURST);
    refuse('second', BURST);
    for (let n = 0; n < ADDRESSES - 2; n++) refuse(`10.0.${n >> 8}.${n & 255}`);
    refuse('first');
    expect([throttle.blocks('first'), throttle.blocks('second')]).toEqual([true, true]);
    refuse('new');
    expect([throttle.blocks('first'), throttle.blocks('second')]).toEqual([true, false]);
  });

  it('keeps addresses apart that are names of an object', () => {
    refuse('__proto__', BURST);
    expect([throttle.blocks('__proto__'), throttle.blocks('constructor'), throttle.blocks('')]).toEqual([true, false, false]);
  });
});
