import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { AddressRanges, addressGroup, isLoopback, plainAddress } from '../../src/structures/ip-address.js';
import { clientAddress } from '../../src/transport/upgrade/client-address.js';

const PROXIES = new AddressRanges(['10.0.0.0/8', '127.0.0.1', 'fd00::/8', '192.0.2.128/25']);

function seen(peer: string, forwardedFor?: string | string[], forwardedProto?: string) {
  const headers = {
    ...(forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor }),
    ...(forwardedProto === undefined ? {} : { 'x-forwarded-proto': forwardedProto }),
  };
  const socket = { remoteAddress: peer, remotePort: 4_711 } as Socket;
  return clientAddress({ headers: headers as Record<string, string>, socket }, PROXIES);
}

describe('the address of a client', () => {
  it('is that of the peer, whatever it writes, unless the peer is a trusted proxy', () => {
    const stranger = seen('203.0.113.9', '198.51.100.1', 'https');
    expect(stranger).toEqual({ address: '203.0.113.9', port: 4_711, group: '203.0.113.9', scheme: undefined });
    expect(seen('10.1.2.3')).toMatchObject({ address: '10.1.2.3', port: 4_711 });
  });

  it.each<[string | string[], string, number]>([
    ['198.51.100.1', '198.51.100.1', 0],
    ['198.51.100.1:5000', '198.51.100.1', 5_000],
    ['[2001:db8::1]:5000', '2001:db8::1', 5_000],
    ['2001:DB8::1', '2001:db8::1', 0],
    ['::ffff:198.51.100.1', '198.51.100.1', 0],
    ['1.1.1.1, 198.51.100.1, 10.9.9.9', '198.51.100.1', 0],
    ['1.1.1.1,198.51.100.1,::ffff:10.9.9.9 , fd00::7', '198.51.100.1', 0],
    [['1.1.1.1', '198.51.100.1'], '198.51.100.1', 0],
    ['10.0.0.1, 10.0.0.2', '10.0.0.1', 0],
    ['1.1.1.1, unknown, 10.0.0.2', '10.0.0.2', 0],
    ['1.1.1.1, ', '10.1.2.3', 4_711],
    ['', '10.1.2.3', 4_711],
    ['evil', '10.1.2.3', 4_711],
    ['999.1.1.1', '10.1.2.3', 4_711],
    ['[::1', '10.1.2.3', 4_711],
  ])('behind a trusted proxy that says %j is %s', (line, address, port) => {
    expect(seen('10.1.2.3', line)).toMatchObject({ address, port });
    expect(seen('::ffff:10.1.2.3', line)).toMatchObject({ address, port });
  });

  it('has the scheme of the nearest trusted proxy', () => {
    const schemes = ['https', 'HTTP', 'http, https', 'ftp', ''].map((proto) => seen('127.0.0.1', '1.1.1.1', proto).scheme);
    expect(schemes).toEqual(['https', 'http', 'https', undefined, undefined]);
  });

  it('is read from a header of 100,000 entries in one pass', () => {
    const line = Array(100_000).fill('10.0.0.1').join(',');
    const before = process.cpuUsage();
    expect(seen('10.1.2.3', line).address).toBe('10.0.0.1');
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(1_000);
  });
});

describe('addresses', () => {
  it('of IPv6 are counted by their /64, those of IPv4 each by itself', () => {
    expect(addressGroup('2001:db8:0:1:aaaa::1')).toBe(addressGroup('2001:DB8:0:1:bbbb:0:0:2'));
    expect(addressGroup('2001:db8:0:1::1')).not.toBe(addressGroup('2001:db8:0:2::1'));
    expect(addressGroup('fe80::1%eth0')).toBe(addressGroup('fe80::2%eth1'));
    expect(addressGroup('::ffff:c633:6401')).toBe('198.51.100.1');
    expect(addressGroup('::ffff:198.51.100.1')).not.toBe(addressGroup('::ffff:198.51.100.2'));
    expect([addressGroup(''), plainAddress(''), plainAddress('::')]).toEqual(['', '', '::']);
  });

  it('are of this machine when no packet to them leaves it', () => {
    expect(['localhost', 'LOCALHOST', '127.0.0.1', '127.255.0.1', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1'].every(isLoopback)).toBe(
      true,
    );
    expect(['0.0.0.0', '::', '::2', '128.0.0.1', '10.0.0.1', 'localhost.example', '127.1', ''].some(isLoopback)).toBe(false);
  });
});

describe('ranges of addresses', () => {
  it('hold the addresses that share their first bits', () => {
    expect(['192.0.2.128', '192.0.2.255', 'fd12::1', '::ffff:10.0.0.1', '127.0.0.1'].every((address) => PROXIES.contains(address))).toBe(
      true,
    );
    expect(['192.0.2.127', 'fe00::1', '11.0.0.1', '127.0.0.2', '', 'x'].some((address) => PROXIES.contains(address))).toBe(false);
    const all = new AddressRanges(['0.0.0.0/0', '::/0', '::ffff:172.16.0.0/108']);
    expect([all.contains('8.8.8.8'), all.contains('2001:db8::1')]).toEqual([true, true]);
  });

  it.each([
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0',
    '10.0.0.0/8/8',
    '::/129',
    'fe80::1%eth0',
    '::ffff:10.0.0.0/8',
    'proxy',
    '',
  ])('are not %j', (text) => {
    expect(AddressRanges.isRange(text)).toBe(false);
  });
});
