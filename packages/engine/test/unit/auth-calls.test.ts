import { LIMITS } from '@rivulet/protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import { type LogFields, silentLogger } from '../../src/logging/logger.js';
import { AddressQueue } from '../../src/transport/admission/address-queue.js';
import { AuthCalls, type CredentialMemory } from '../../src/transport/upgrade/auth-calls.js';
import { credentialDigest } from '../../src/transport/upgrade/credential-digest.js';
import { RefusedCredentials } from '../../src/transport/upgrade/refused-credentials.js';

let now = 0;
let calls: AuthCalls;
let lines: unknown[] = [];
/** Calls of the auth function that have no answer yet, in their order. */
let running: { readonly who: string; readonly memory: CredentialMemory; readonly answer: () => void }[] = [];

const clock = { now: () => 0, monotonic: () => now };
const turns = () => new Promise((resolve) => setImmediate(resolve));

function begin(waitMs: number): void {
  const logger = { ...silentLogger, warn: (event: string, fields?: LogFields) => void lines.push({ event, ...fields }) };
  calls = new AuthCalls({ listener: 'stream', waitMs, clock, logger });
}

function ask(address: string, credential: string, whenGone?: (callback: () => void) => () => void) {
  const request = { addressGroup: address, ...(whenGone === undefined ? {} : { whenGone }) };
  return calls.run(request, credential, (memory) => {
    return new Promise<string>((resolve) => running.push({ who: `${address} ${credential}`, memory, answer: () => resolve(credential) }));
  });
}

/** Takes every place, so that later calls have to wait. */
function fill(address = 'first'): void {
  for (let n = 0; n < LIMITS.authQuestions; n++) void ask(address, `fill-${n}`);
}

beforeEach(() => {
  now = 0;
  lines = [];
  running = [];
  begin(60_000);
});

describe('the calls of an auth function', () => {
  it('are at most 64 at a time; the next begins when one is answered', async () => {
    fill();
    const waiting = ask('other', 'x');
    await turns();
    expect([running.length, calls.open]).toEqual([64, 65]);
    running[3]?.answer();
    await turns();
    expect(running.at(-1)?.who).toBe('other x');
    running.at(-1)?.answer();
    expect(await waiting).toEqual({ kind: 'answered', answer: 'x' });
    for (const { answer } of running) answer();
    await turns();
    expect(calls.open).toBe(0);
  });

  it('of one address with many do not hold up the only one of another', async () => {
    fill('crowd');
    for (let n = 0; n < 1_000; n++) void ask('crowd', `guess-${n}`);
    void ask('single', 'good');
    for (let n = 0; n < 2; n++) running[n]?.answer();
    await turns();
    expect(running.slice(64).map(({ who }) => who)).toEqual(['crowd guess-0', 'single good']);
  });

  it('never refuse by address: a good credential is checked whatever others of its address sent', async () => {
    for (let n = 0; n < 5_000; n++) {
      const bad = ask('proxy', `bad-${n}`);
      running.at(-1)?.memory.refused();
      running.at(-1)?.answer();
      await bad;
    }
    const good = ask('proxy', 'good');
    running.at(-1)?.answer();
    expect(await good).toEqual({ kind: 'answered', answer: 'good' });
  });

  it('are not repeated for a credential that was refused, until its time is over', async () => {
    void ask('a', 'x');
    running[0]?.memory.refused();
    running[0]?.answer();
    await turns();
    for (now = 0; now < LIMITS.authRefusedMs; now += 1_000) expect(await ask('a', 'x')).toEqual({ kind: 'refused' });
    expect(running).toHaveLength(1);
    expect(lines).toEqual([{ event: 'auth_refused_again', listener: 'stream', times: 1 }]);
    now = LIMITS.authRefusedMs;
    void ask('a', 'x');
    void ask('b', 'x');
    expect(running).toHaveLength(3);
  });

  it('are repeated sooner for a credential at which the function failed', async () => {
    void ask('a', 'x');
    running[0]?.memory.failed();
    running[0]?.answer();
    await turns();
    expect(await ask('a', 'x')).toEqual({ kind: 'refused' });
    now = LIMITS.authFailedMs;
    void ask('a', 'x');
    expect(running).toHaveLength(2);
  });

  it('that wait with a credential that is refused meanwhile are not made', async () => {
    fill();
    const waiting = ask('first', 'fill-0');
    running[0]?.memory.refused();
    running[0]?.answer();
    expect(await waiting).toEqual({ kind: 'refused' });
    expect(running).toHaveLength(64);
    expect(calls.open).toBe(63);
  });

  it('wait in a bounded queue: the newest of the largest address gives way, with a line in the log', async () => {
    fill();
    const crowd = Array.from({ length: LIMITS.authWaiting }, (_, n) => ask('crowd', `guess-${n}`));
    const single = ask('single', 'good');
    expect(await crowd.at(-1)).toEqual({ kind: 'busy' });
    expect(await ask('crowd', 'late')).toEqual({ kind: 'busy' });
    expect(lines).toEqual([{ event: 'auth_queue_full', code: 'OVERLOADED', listener: 'stream', waiting: LIMITS.authWaiting, times: 1 }]);
    for (const { answer } of running.slice(0, 2)) answer();
    await turns();
    running.at(-1)?.answer();
    expect(await single).toEqual({ kind: 'answered', answer: 'good' });
  });

  it('leave the queue when their client leaves, or when their time is over', async () => {
    fill();
    let leave = () => {};
    let watched = true;
    const left = ask('a', 'x', (callback) => {
      leave = callback;
      return () => {
        watched = false;
      };
    });
    leave();
    expect([await left, watched, calls.open]).toEqual([{ kind: 'busy' }, false, 64]);
    begin(1);
    fill();
    expect([await ask('a', 'x'), calls.open]).toEqual([{ kind: 'busy' }, 64]);
  });

  it('give their place back when a call fails', async () => {
    await expect(calls.run({ addressGroup: 'a' }, 'x', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(calls.open).toBe(0);
  });
});

describe('a fair line', () => {
  it('serves its groups in turn, each in order, and forgets who has left', () => {
    const line = new AddressQueue<{ name: string }>(10);
    const [a1, a2, a3, b1, c1] = ['a1', 'a2', 'a3', 'b1', 'c1'].map((name) => ({ name })) as [
      { name: string },
      { name: string },
      { name: string },
      { name: string },
      { name: string },
    ];
    for (const member of [a1, a2, a3]) line.add('a', member);
    line.add('b', b1);
    line.add('c', c1);
    line.delete('a', a2);
    line.delete('a', a2);
    expect([line.next(), line.next(), line.next(), line.next(), line.next(), line.size]).toEqual([a1, b1, c1, a3, undefined, 0]);
  });
});

describe('the memory of refused credentials', () => {
  it('forgets the oldest refusal when it is full', () => {
    const memory = new RefusedCredentials(2, clock);
    for (const digest of ['a', 'b', 'a', 'c']) memory.add(digest, 1_000);
    expect(['a', 'b', 'c'].map((digest) => memory.has(digest))).toEqual([true, false, true]);
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
