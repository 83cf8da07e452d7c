import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { DescriptorReserve } from '../../src/transport/admission/descriptor-reserve.js';
import { WaitingConnections } from '../../src/transport/admission/waiting-connections.js';

interface Peer {
  readonly name: string;
}

function world(most: number, mostPerAddress: number) {
  const evicted: string[] = [];
  const waiting = new WaitingConnections<Peer>({ most, mostPerAddress }, ({ name }) => void evicted.push(name));
  const peer = (name: string, address: string | undefined): Peer => {
    const connection = { name };
    waiting.add(connection, address);
    return connection;
  };
  return { evicted, waiting, peer };
}

it('the connection that has waited longest makes room, of its own address first', () => {
  const { evicted, peer } = world(4, 2);
  peer('a1', 'a');
  peer('b1', 'b');
  peer('b2', 'b');
  peer('b3', 'b');
  expect(evicted).toEqual(['b1']);
  peer('c1', 'c');
  peer('d1', 'd');
  expect(evicted).toEqual(['b1', 'a1']);
});

it('a connection that has sent something counts as the newest; one that is engaged is not evicted', () => {
  const { evicted, waiting, peer } = world(2, 2);
  const first = peer('1', 'a');
  const second = peer('2', 'b');
  waiting.add(first, 'a');
  peer('3', 'c');
  expect(evicted).toEqual(['2']);
  waiting.delete(first);
  peer('4', 'd');
  expect(evicted).toEqual(['2']);
  waiting.delete(second);
  expect(waiting.size).toBe(2);
});

it('an address without a bound of its own has the total bound only', () => {
  const { evicted, peer } = world(3, 1);
  for (const name of ['1', '2', '3', '4']) peer(name, undefined);
  expect(evicted).toEqual(['1']);
});

/** Returns a fake connection with this descriptor. */
const numbered = (fd: number) => ({ _handle: { fd } }) as unknown as Socket;

it('E13 descriptors are kept back, and a freed low number does not hide that all are in use', () => {
  const reserve = new DescriptorReserve(120);
  const first = numbered(50);
  expect([reserve.add(first), reserve.add(numbered(103))]).toEqual([false, false]);
  // Descriptors 0 to 103 are in use, so this one is one too many.
  const beyond = numbered(104);
  expect(reserve.add(beyond)).toBe(true);
  reserve.delete(first);
  expect(reserve.add(numbered(50))).toBe(true);
  reserve.delete(beyond);
  expect(reserve.add(numbered(60))).toBe(false);
  expect(new DescriptorReserve(undefined).add(numbered(1_000_000))).toBe(false);
});

it('E13 a listener without idle connections closes one of another listener', () => {
  const reserve = new DescriptorReserve(120);
  const evicted: string[] = [];
  const own = () => false;
  reserve.addListener(own);
  reserve.addListener(() => evicted.push('other') > 0);
  expect([reserve.evictIdle(own), evicted]).toEqual([true, ['other']]);
});
