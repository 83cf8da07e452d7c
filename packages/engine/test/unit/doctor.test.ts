import { directoryWith } from '@rivulet/testkit/directory-with';
import { describe, expect, it } from 'vitest';
import { accessHints, configWarnings, proxyHints } from '../../src/cli/doctor/access-hints.js';
import type { Finding } from '../../src/cli/doctor/finding.js';
import { checkMachine } from '../../src/cli/doctor/machine-checks.js';
import { loadConfig } from '../../src/config/loading/load-config.js';

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

describe('the doctor, about the machine', () => {
  const GIB = 1_073_741_824;
  const machine = { descriptors: 65_536, memory: 4 * GIB, heap: 2 * GIB, node: '24.13.0', today: new Date('2026-11-30T00:00:00Z') };

  it('is content with a good one', () => expect(shown(checkMachine(machine))).toEqual([]));

  it.each<[object, RegExp]>([
    [{ node: '20.20.2' }, /^note: Node 20 gets no security fixes/],
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
