import { directoryWith } from '@rivulet/testkit/directory-with';
import { describe, expect, it } from 'vitest';
import { accessHints, configWarnings, proxyHints } from '../../src/cli/doctor/access-hints.js';
import { judgeAddresses, judgeSessions, type SeenAddresses } from '../../src/cli/doctor/address-check.js';
import type { Finding } from '../../src/cli/doctor/finding.js';
import { checkMachine } from '../../src/cli/doctor/machine-checks.js';
import { loadConfig } from '../../src/config/loading/load-config.js';
import { AddressRanges } from '../../src/structures/ip-address.js';

function configOf(...entries: string[]) {
  const text = `workers:\n${entries.map((entry) => `  - ${entry}\n`).join('')}`;
  return loadConfig({ cwd: directoryWith({ 'iii-config.yaml': text }), env: {}, lenient: false });
}

const WORKER = '{ name: iii-worker-manager, config: { host: 127.0.0.1 } }';

/** Returns the findings that are not `ok`, as `level: message`. */
function shown(findings: readonly Finding[]): string[] {
  return findings.filter(({ level }) => level !== 'ok').map(({ level, message }) => `${level}: ${message}`);
}

describe('the doctor, about access', () => {
  it('names ports that are open to everybody', () => {
    const config = configOf('{ name: iii-worker-manager, config: { host: 0.0.0.0 } }', '{ name: iii-stream, config: { host: 0.0.0.0 } }');
    expect(shown(accessHints(config))).toEqual([
      expect.stringMatching(/^change: .*ANYONE.*:49134 .*auth_token/),
      expect.stringMatching(/^change: .*ANYONE.*:3112 .*auth_function/),
    ]);
    expect(shown(configWarnings(config)).filter((line) => line.includes('ANYONE'))).toEqual([]);
  });

  it('names open defaults: trigger types of guests, and CORS', () => {
    const guests = '{ name: iii-worker-manager, config: { host: 127.0.0.1, port: 49135, rbac: { auth_function_id: a } } }';
    const http = '{ name: iii-http, config: { host: 127.0.0.1 } }';
    expect(shown(accessHints(configOf(WORKER, guests, http)))).toEqual([
      expect.stringMatching(/^note: guests of 127\.0\.0\.1:49135 .*allowed_trigger_types: \[\]$/),
      expect.stringMatching(/^note: pages of any site .*cors of iii-http/),
    ]);
  });

  it('is content with closed ones', () => {
    const guests = '{ name: iii-worker-manager, config: { host: 127.0.0.1, rbac: { auth_function_id: a, allowed_trigger_types: [] } } }';
    const http = '{ name: iii-http, config: { host: 127.0.0.1, cors: { allowed_origins: ["https://a.example"] } } }';
    expect(accessHints(configOf(guests, http))).toEqual([{ level: 'ok', area: 'access', message: expect.any(String) }]);
  });

  it('names proxies that everybody can be, and listeners that name none', () => {
    const stream = (proxies: string) => `{ name: iii-stream, config: { host: 127.0.0.1, trusted_proxies: ${proxies} } }`;
    const worker = '{ name: iii-worker-manager, config: { host: 127.0.0.1, trusted_proxies: [10.0.0.0/8] } }';
    expect(shown(proxyHints(configOf(worker, stream('["10.0.0.1/32"]'))))).toEqual([]);
    expect(shown(proxyHints(configOf(worker, stream('[]'))))).toEqual([expect.stringMatching(/^note: iii-stream \(port 3112\): without/)]);
    expect(shown(proxyHints(configOf(worker, stream('["0.0.0.0/0"]'))))).toEqual([
      expect.stringMatching(/^change: trusted_proxies of iii-stream \(port 3112\) names every address/),
    ]);
  });
});

describe('the doctor, about addresses behind a proxy', () => {
  const PROXY = '10.0.0.1';
  const seen = {
    own: '10.9.9.9',
    plain: { address: '203.0.113.9', peer: PROXY },
    isFooled: false,
    trusted: new AddressRanges([PROXY]),
    entry: 'iii-stream',
  };

  it.each<[name: string, change: Partial<SeenAddresses>, RegExp]>([
    ['a client behind a translation of addresses', {}, /^ok: .* as 203\.0\.113\.9, .*; check that this is the public address/],
    ['the own address', { own: '203.0.113.9' }, /^ok: .* as 203\.0\.113\.9, and believes no forged X-Forwarded-For$/],
    [
      'a second proxy',
      { plain: { address: '10.0.0.2', peer: PROXY } },
      /^note: .*if 10\.0\.0\.2 is a proxy too, add it to trusted_proxies of iii-stream$/,
    ],
    ['a forged address', { isFooled: true }, /^change: each client can forge its address: .* came by 10\.0\.0\.1;/],
    [
      'a forged address of a trusted machine',
      { isFooled: true, own: PROXY },
      /^note: .*trusted_proxies of iii-stream contains .*run the doctor on a machine that is no trusted proxy/,
    ],
    [
      'a trusted proxy without the header',
      { plain: { address: PROXY, peer: PROXY } },
      /^change: the trusted proxy 10\.0\.0\.1 names no client/,
    ],
    [
      'an unknown private peer',
      { plain: { address: 'fd00::1', peer: 'fd00::1' } },
      /^change: all clients that come by fd00::1 count as one.* to trusted_proxies of iii-stream and let it/,
    ],
    [
      'an unknown public peer',
      { plain: { address: '192.0.2.1', peer: '192.0.2.1' } },
      /^note: .*as 192\.0\.2\.1; if that is a proxy, add it to trusted_proxies of iii-stream$/,
    ],
    ['no proxy', { plain: { address: '10.9.9.9', peer: '10.9.9.9' } }, /^ok: the engine sees the own address of this client/],
  ])('judges %s', (_name, change, message) => {
    const { level, message: said } = judgeAddresses({ ...seen, ...change });
    expect(`${level}: ${said}`).toMatch(message);
  });

  it('notes many clients of one private address only', () => {
    const clients = (address: string, count: number) => Array<{ address: string; peer: string }>(count).fill({ address, peer: PROXY });
    expect(shown(judgeSessions(clients(PROXY, 10), 'iii-stream'))).toEqual([
      expect.stringMatching(/^note: the first 10 stream clients all have .* of iii-stream and let it/),
    ]);
    expect(judgeSessions(clients(PROXY, 9), 'iii-stream')).toEqual([]);
    expect(judgeSessions(clients('203.0.113.9', 10), 'iii-stream')).toEqual([]);
    expect(judgeSessions([...clients(PROXY, 10), ...clients('10.0.0.2', 1)], 'iii-stream')).toEqual([]);
  });
});

describe('the doctor, about the machine', () => {
  const GIB = 1_073_741_824;
  const machine = {
    descriptors: 65_536,
    memory: 4 * GIB,
    heap: 2 * GIB,
    versions: { node: '24.13.0' },
    today: new Date('2026-11-30T00:00:00Z'),
  };

  it('is content with a good one', () => expect(shown(checkMachine(machine))).toEqual([]));

  it.each<[object, RegExp]>([
    [{ versions: { node: '20.20.2' } }, /^note: Node 20 gets no security fixes since 2026-04-30/],
    [{ versions: { node: '20.20.2', bun: '1.4.5' } }, /^note: Bun 1\.4\.5 runs the engine/],
    [{ descriptors: 1_024 }, /^change: a process may open 1024 files .*ulimit -n/],
    [{ descriptors: 20_000 }, /^note: a process may open 20000 files/],
    [{ descriptors: undefined }, /^note: the limit of open files is unknown/],
    [{ memory: GIB / 4, heap: GIB / 8 }, /^change: there are 256 MiB of memory/],
    [{ memory: GIB * 0.75, heap: GIB / 8 }, /^note: there are 768 MiB of memory/],
    [{ heap: 8 * GIB }, /^note: Node would use 8192 MiB for its heap, more than the 4096 MiB of memory/],
  ])('names %j', (figures, message) => {
    expect(shown(checkMachine({ ...machine, ...figures }))).toEqual([expect.stringMatching(message)]);
  });
});
