import { expect, it } from 'vitest';
import type { Leases } from '../../src/stream/leases/leases.js';
import { SessionLeases } from '../../src/stream/leases/session-leases.js';

it.each([
  [1000, 'left'],
  [1001, 'left'],
  [1008, 'left'],
  [1006, 'dropped'],
  [1011, 'dropped'],
  [1012, 'dropped'],
  [1013, 'dropped'],
])('RV-41 what a connection holds that closes with %i has %s', (code, how) => {
  const ends: string[] = [];
  const leases = {
    lease: () => ({ source: 'function', clientData: false, update() {}, end: (each: string) => ends.push(each) }),
  } as unknown as Leases;
  const session = new SessionLeases(leases);
  session.replace('s1', { stream: 's', group: 'g' }, { source: 'function', item: 'i', data: '1', graceMs: 1, clientData: false });
  session.closed(code);
  expect(ends).toEqual([how]);
});
