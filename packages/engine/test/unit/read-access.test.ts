import { beforeEach, expect, it } from 'vitest';
import { SessionDirectory } from '../../src/core/revocation/session-directory.js';
import { ReadAccess } from '../../src/stream/reading/requests/read-access.js';
import type { AuthDecision } from '../../src/stream/session/auth-gate.js';

const REF = { stream: 'chat', group: 'room-1', item: undefined };
const REQUEST = {
  path: '/stream/chat/room-1',
  rawQuery: '',
  headers: { authorization: 'Bearer x' },
  protocols: [],
  remoteAddress: '127.0.0.1',
  remotePort: 1,
  addressGroup: '127.0.0.1',
  scheme: undefined,
};

let now = 0;
let access: ReadAccess;
let asked = 0;
/** Runs while the join function decides. */
let whileJoining: () => void = () => {};

beforeEach(() => {
  now = 0;
  asked = 0;
  whileJoining = () => {};
  const decision: AuthDecision = { kind: 'allowed', context: null, identity: 'ann', expiresAtMs: 1_000 };
  const auth = { authenticates: true, decide: () => Promise.resolve(decision) };
  const decide = async () => {
    asked++;
    await Promise.resolve();
    whileJoining();
    return { allowed: true, lease: undefined };
  };
  const clock = { now: () => now, monotonic: () => 0 };
  access = new ReadAccess({ auth, triggers: { open: false, decide }, directory: new SessionDirectory(), clock } as never);
});

it('keeps an allow for the same credential', async () => {
  for (let reads = 0; reads < 2; reads++) expect(await access.decide(REQUEST, REF)).toMatchObject({ kind: 'allowed', identity: 'ann' });
  expect(asked).toBe(1);
});

it('does not keep an allow that was decided with keys and grants that were replaced meanwhile', async () => {
  whileJoining = () => access.forget();
  await access.decide(REQUEST, REF);
  await access.decide(REQUEST, REF);
  expect(asked).toBe(2);
});

it('refuses an access that ended while a join function decided', async () => {
  whileJoining = () => (now = 1_000);
  expect(await access.decide(REQUEST, REF)).toMatchObject({ kind: 'refused', status: 401, code: 'UNAUTHORIZED' });
});
