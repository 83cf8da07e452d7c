import { beforeEach, describe, expect, it } from 'vitest';
import { AuthThrottle } from '../src/core/access/auth-throttle.js';
import { credentialDigest } from '../src/core/access/credential-digest.js';
import { type LogFields, silentLogger } from '../src/logging/logger.js';

const BURST = 10;
const ADDRESS_BURST = 600;
const REMEMBERED = 10_000;
let seconds = 0;
let throttle: AuthThrottle;
let lines: unknown[] = [];

function refuse(address: string, credential: string, times = 1): void {
  for (let n = 0; n < times; n++) throttle.refused(address, credential);
}

const guess = (address: string, times: number) => {
  for (let n = 0; n < times; n++) throttle.refused(address, `guess-${n}`);
};

beforeEach(() => {
  seconds = 100;
  lines = [];
  const logger = { ...silentLogger, warn: (event: string, fields?: LogFields) => void lines.push({ event, ...fields }) };
  throttle = new AuthThrottle({ now: () => 0, monotonic: () => seconds * 1_000 }, logger);
});

describe('the throttle of refused upgrades', () => {
  it('blocks a credential from its 10th refusal on, and nobody else who comes from that address or with it from another', () => {
    refuse('a', 'x', BURST - 1);
    expect(throttle.blocks('a', 'x')).toBe(false);
    refuse('a', 'x');
    expect([throttle.blocks('a', 'x'), throttle.blocks('a', 'y'), throttle.blocks('b', 'x')]).toEqual([true, false, false]);
  });

  it('lets three pages with a token that has expired lock nobody else out of a proxy, for as long as they try', () => {
    for (; seconds < 1_000; seconds += 0.5) {
      for (const token of ['1', '2', '3']) if (!throttle.blocks('proxy', token)) throttle.refused('proxy', token);
      expect(throttle.blocks('proxy', 'valid')).toBe(false);
    }
  });

  it('forgets one refusal of a credential in a second', () => {
    refuse('a', 'x', BURST + 4);
    seconds += 4;
    expect(throttle.blocks('a', 'x')).toBe(true);
    seconds += 0.5;
    expect(throttle.blocks('a', 'x')).toBe(false);
    refuse('a', 'x');
    expect(throttle.blocks('a', 'x')).toBe(true);
    seconds += 1_000_000;
    refuse('a', 'x', BURST - 1);
    expect(throttle.blocks('a', 'x')).toBe(false);
  });

  it('blocks an address from its 600th refusal on, whatever the credentials, and forgets 20 in a second', () => {
    guess('a', ADDRESS_BURST - 1);
    expect(throttle.blocks('a', 'new')).toBe(false);
    guess('a', 1);
    expect([throttle.blocks('a', 'new'), throttle.blocks('b', 'new')]).toEqual([true, false]);
    seconds += 0.1;
    expect(throttle.blocks('a', 'new')).toBe(false);
  });

  it('remembers 10,000 and forgets the one that was refused longest ago', () => {
    refuse('a', 'first', BURST);
    refuse('a', 'second', BURST);
    for (let n = 0; n < REMEMBERED - 2; n++) refuse(`10.0.${n >> 8}.${n & 255}`, 'z');
    refuse('a', 'first');
    expect([throttle.blocks('a', 'first'), throttle.blocks('a', 'second')]).toEqual([true, true]);
    refuse('a', 'new');
    expect([throttle.blocks('a', 'first'), throttle.blocks('a', 'second')]).toEqual([true, false]);
  });

  it('says when an address begins to be put off: once a minute, once a second for all', () => {
    const of = (address: string, what: string) => ({ event: 'auth_throttled', address, of: what });
    refuse('a', 'x', BURST * 3);
    refuse('b', 'x', BURST);
    expect(lines).toEqual([of('a', 'credential')]);
    seconds += 1;
    refuse('b', 'y', BURST);
    expect(lines.slice(1)).toEqual([of('b', 'credential')]);
    for (let n = 0; n < 50; n++) {
      seconds += 1;
      refuse('a', 'x', 2);
    }
    expect(lines).toHaveLength(2);
    guess('a', ADDRESS_BURST);
    expect(lines.slice(2)).toEqual([of('a', 'address')]);
    seconds += 60;
    refuse('a', 'new', BURST);
    expect(lines.slice(3)).toEqual([of('a', 'credential')]);
  });
});

describe('the digest of a credential', () => {
  const request = {
    path: '/stream/s/g',
    rawQuery: 'token=1',
    headers: { host: 'h', authorization: 'Bearer 1', 'sec-websocket-key': 'a' },
    protocols: [],
    remoteAddress: '10.0.0.1',
    remotePort: 1,
    addressGroup: '10.0.0.1',
    scheme: undefined,
  };

  it('is the same for the same credential, whatever changes from request to request', () => {
    const again = { ...request, remotePort: 2, headers: { ...request.headers, 'sec-websocket-key': 'b', 'x-request-id': '7' } };
    expect(credentialDigest(again)).toBe(credentialDigest(request));
    expect(credentialDigest(request)).not.toContain('Bearer');
  });

  it('differs with every place that a token may be in', () => {
    const others = [
      { ...request, path: '/stream/s/token-2' },
      { ...request, rawQuery: 'token=2' },
      ...['authorization', 'cookie', 'sec-websocket-protocol', 'x-api-key'].map((name) => ({
        ...request,
        headers: { ...request.headers, [name]: '2' },
      })),
    ];
    expect(new Set([request, ...others].map(credentialDigest)).size).toBe(others.length + 1);
  });
});
