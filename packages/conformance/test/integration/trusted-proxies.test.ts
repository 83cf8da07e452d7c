import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const FORWARDED = { 'x-forwarded-for': '1.1.1.1, 2001:DB8::7', 'x-forwarded-proto': 'https' };

interface AuthInput {
  readonly addr?: string;
  readonly ip_address?: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Starts an engine with these trusted proxies on every listener. Its auth functions record their input. */
async function engineBehind(trustedProxies: readonly string[]) {
  const engine = await startTestEngine({
    stream: { authFunction: 'app::auth', trustedProxies },
    worker: { trustedProxies },
    guest: { rbac: { authFunction: 'app::auth' }, manager: { trustedProxies } },
  });
  const inputs: AuthInput[] = [];
  const worker = await RawWorker.connect(engine.workerUrl, { headers: FORWARDED });
  await worker.serve('app::auth', (data) => {
    inputs.push(data as AuthInput);
    return { context: null };
  });
  return { ...engine, worker, inputs };
}

async function addressesIn(answer: Promise<unknown>): Promise<string[]> {
  return [...JSON.stringify(await answer).matchAll(/"(?:ip_)?address":"([^"]+)"/g)].map(([, address = '']) => address);
}

test('the address that a trusted proxy names is that of auth inputs and lists of sessions', async () => {
  const { streamUrl, guestUrl, worker, inputs } = await engineBehind(['127.0.0.0/8']);
  await StreamSocket.open(streamUrl, [], { headers: FORWARDED });
  await RawWorker.connect(guestUrl, { headers: FORWARDED });
  expect(inputs.map(({ addr, ip_address }) => addr ?? ip_address)).toEqual(['[2001:db8::7]:0', '2001:db8::7']);
  expect(new Set(await addressesIn(worker.call('engine::stream-sessions::list', {})))).toEqual(new Set(['2001:db8::7']));
});

test('the same headers of any other peer count for nothing', async () => {
  const { streamUrl, guestUrl, worker, inputs, log } = await engineBehind(['10.0.0.0/8']);
  await StreamSocket.open(streamUrl, [], { headers: FORWARDED });
  await RawWorker.connect(guestUrl, { headers: FORWARDED });
  expect(inputs.map(({ addr, ip_address }) => (addr ?? ip_address)?.replace(/:\d+$/, ''))).toEqual(['127.0.0.1', '127.0.0.1']);
  expect(new Set(await addressesIn(worker.call('engine::stream-sessions::list', {})))).toEqual(new Set(['127.0.0.1']));
  expect(JSON.stringify(log)).not.toContain('2001:db8');
});

test('the scheme that a trusted proxy names decides which page is one of the own host', async () => {
  const { streamUrl, inputs } = await engineBehind(['127.0.0.1']);
  const host = 'app.example';
  for (const origin of ['http://app.example', 'https://app.example'])
    await StreamSocket.open(streamUrl, [], { headers: { ...FORWARDED, host, cookie: 'session=1', origin } });
  expect(inputs.map(({ headers }) => headers['cookie'])).toEqual([undefined, 'session=1']);
});
