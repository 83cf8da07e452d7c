import { expect, it } from 'vitest';
import { descriptorLimit } from '../src/transport/admission/descriptor-limit.js';
import { WaitingConnections } from '../src/transport/admission/waiting-connections.js';

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

it('some descriptors are kept back for files', () => {
  expect([120, 1_024, 65_536].map((limit) => descriptorLimit(limit).reservedFrom)).toEqual([104, 992, 65_280]);
});
