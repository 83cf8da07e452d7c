import { directoryWith } from '@rivulet/testkit/directory-with';
import { run } from '@rivulet/testkit/engines/cli-process';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { type Forwarding, startForwardingProxy } from '@rivulet/testkit/links/forwarding-proxy';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const TOKEN = 'sesame-sesame-sesame';

interface Setting {
  readonly trusted: readonly string[];
  readonly authFunction?: string;
  readonly adminToken?: string;
}

async function startEngine({ trusted, authFunction, adminToken }: Setting) {
  const engine = await startTestEngine({
    stream: { trustedProxies: trusted, ...(authFunction === undefined ? {} : { authFunction }) },
    admin: adminToken === undefined ? {} : { token: adminToken },
  });
  const text = [
    'workers:',
    '  - { name: iii-worker-manager, config: { port: 0, host: 127.0.0.1 } }',
    `  - { name: iii-stream, config: { port: 0, host: 127.0.0.1, trusted_proxies: ${JSON.stringify(trusted)} } }`,
    `  - { name: rivulet-admin, config: { port: ${new URL(engine.adminUrl).port} } }`,
    '',
  ].join('\n');
  return { ...engine, cwd: directoryWith({ 'iii-config.yaml': text }) };
}

/** Returns the findings of the doctor about proxies, as `level: message`, behind the one about the upgrade. */
async function findingsVia(cwd: string, via: string, env: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const { stdout, stderr } = await run(['doctor', '--json', '--via', via], cwd, env);
  expect(stderr).toBe('');
  const { findings } = JSON.parse(stdout) as { findings: { level: string; area: string; message: string }[] };
  const lines = findings.filter(({ area }) => area === 'proxy').map(({ level, message }) => `${level}: ${message}`);
  const upgrade = lines.findIndex((line) => line.includes('opens a WebSocket'));
  expect(lines[upgrade]).toMatch(/^ok: /);
  return lines.slice(upgrade + 1);
}

/** Loopback addresses that are not the one by which the proxy connects. The doctor connects from one of them. */
const OWN = /127\.(?!0\.0\.1\b)\d+\.\d+\.\d+/.source;

test.each<[forwarding: Forwarding, trusted: readonly string[], finding: RegExp]>([
  ['set', ['127.0.0.1'], new RegExp(`^ok: behind the proxy 127\\.0\\.0\\.1 the engine sees this client as ${OWN}, and believes no forged`)],
  ['append', ['127.0.0.1'], new RegExp(`^ok: behind the proxy 127\\.0\\.0\\.1 the engine sees this client as ${OWN}`)],
  ['leave', ['127.0.0.1'], /^change: each client can forge its address: .* came by 127\.0\.0\.1; let the proxy overwrite/],
  ['append', ['127.0.0.0/8'], new RegExp(`^note: the engine believes the X-Forwarded-For of this machine, .* contains its address ${OWN}`)],
  ['remove', ['127.0.0.1'], /^change: the trusted proxy 127\.0\.0\.1 names no client, so all its clients count as one address/],
  ['set', [], /^change: all clients that come by 127\.0\.0\.1 count as one address; if it is your proxy, add it to trusted_proxies/],
  ['leave', ['192.0.2.0/24'], /^change: all clients that come by 127\.0\.0\.1 count as one address/],
])('behind a proxy that does "%s" with the header, and trusted proxies %j', async (forwarding, trusted, finding) => {
  const { cwd, streamUrl } = await startEngine({ trusted });
  // Another client of the same proxy stays connected meanwhile.
  const proxy = await startForwardingProxy(forwarding, streamUrl);
  await StreamSocket.open(proxy.replace('http', 'ws'));
  expect(await findingsVia(cwd, proxy)).toEqual([expect.stringMatching(finding)]);
});

test('without a proxy, the engine sees the address of the doctor', async () => {
  const { cwd, streamUrl } = await startEngine({ trusted: [] });
  expect(await findingsVia(cwd, streamUrl)).toEqual([expect.stringMatching(new RegExp(`^ok: the engine sees the own address .* ${OWN}$`))]);
});

test('behind a load balancer the doctor tries until it reaches the engine of the admin listener, or says that it did not', async () => {
  const [engine, other] = await Promise.all([startEngine({ trusted: ['127.0.0.1'] }), startTestEngine()]);
  const both = await startForwardingProxy('append', other.streamUrl, engine.streamUrl);
  expect(await findingsVia(engine.cwd, both)).toEqual([expect.stringMatching(/^ok: behind the proxy/)]);
  const elsewhere = await startForwardingProxy('append', other.streamUrl);
  expect(await findingsVia(engine.cwd, elsewhere)).toEqual([expect.stringMatching(/^note: .*leads to another engine .* --admin-url$/)]);
});

test('the doctor needs the tokens that the listeners want, and says so', async () => {
  const { cwd, streamUrl, workerUrl } = await startEngine({ trusted: ['127.0.0.1'], authFunction: 'app::auth', adminToken: TOKEN });
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::auth', (data) => {
    const { headers } = data as { headers: Record<string, string> };
    return headers['sec-websocket-protocol'] === 'Authorization, open-sesame' ? { context: null } : { unauthorized: true };
  });
  const proxy = await startForwardingProxy('append', streamUrl);
  const withoutAny = await findingsVia(cwd, proxy);
  expect(withoutAny).toEqual([expect.stringMatching(/^note: .*needs the list of sessions: .*RIVULET_ADMIN_TOKEN$/)]);
  expect(await findingsVia(cwd, proxy, { RIVULET_ADMIN_TOKEN: TOKEN })).toEqual([
    expect.stringMatching(/^note: .*the engine closed it with \d+; .*RIVULET_STREAM_TOKEN$/),
  ]);
  expect(await findingsVia(cwd, proxy, { RIVULET_ADMIN_TOKEN: TOKEN, RIVULET_STREAM_TOKEN: 'open-sesame' })).toEqual([
    expect.stringMatching(/^ok: behind the proxy/),
  ]);
});

test('many clients with one private address are noted, without --via', async () => {
  const { cwd, streamUrl } = await startEngine({ trusted: [] });
  await Promise.all(Array.from({ length: 10 }, () => StreamSocket.open(streamUrl)));
  const { stdout } = await run(['doctor'], cwd);
  expect(stdout).toMatch(/^note {4}proxy: the first 10 stream clients all have the address 127\.0\.0\.1; if it is your proxy/m);
});
