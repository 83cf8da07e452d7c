import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Inbox } from '@rivulet/testkit/inbox';
import { SDK_VERSIONS, type SdkVersion } from '@rivulet/testkit/peers/official-worker';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, onTestFinished, test } from 'vitest';
import { shows } from '../harness/client-matrix.js';
import { startBehindProxy, TELEMETRY_LISTENERS } from '../harness/telemetry-listeners.js';

const CHILD = fileURLToPath(new URL('../harness/telemetry-child.mjs', import.meta.url));

/** Starts a worker process. Its telemetry is on by default. */
function runWorker(version: SdkVersion, url: string) {
  const { OTEL_ENABLED: _, ...env } = process.env;
  const child = spawn(process.execPath, [CHILD, version, url], { env });
  const exit = once(child, 'exit') as Promise<[number | null]>;
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  const output = new Inbox<{ readonly text: string }>();
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => output.push({ text: data.toString() }));
  return { child, exit, output };
}

const cases = SDK_VERSIONS.flatMap((version) => TELEMETRY_LISTENERS.map((listener) => [version, listener] as const));

test.each(cases)(
  'SM-5 iii-sdk %s exports telemetry to a listener %s, over one connection, and prints of no trouble with it',
  async (version, listener) => {
    shows('telemetry', `node ${version}`);
    const { engine, proxy, url, authCalls } = await startBehindProxy(listener);
    const { child, exit, output } = runWorker(version, url);
    const links = [await proxy.next(), await proxy.next()];
    await output.take(({ text }) => text.includes('called'), 'the end of the calls');
    // From here on the worker makes no calls, so it sends only telemetry.
    const sent = new Inbox<{ readonly bytes: number }>();
    for (const { client } of links) client.on('data', (data: Buffer) => sent.push({ bytes: data.length }));
    for (let n = 0; n < 5; n++) await sent.take(() => true, 'an export');
    const observer = await RawWorker.connect(engine.workerUrl);
    const { workers } = (await observer.result('engine::workers::list', {})) as { workers: { name: string }[] };
    const named = version === '0.2.1' || version === '0.3.0' ? [] : ['telemetry'];
    expect(workers.map(({ name }) => name).filter((name) => name !== 'engine')).toEqual(named);
    expect(proxy.links.all).toHaveLength(2);
    expect(links.map(({ client }) => client.destroyed)).toEqual([false, false]);
    expect(output.all.map(({ text }) => text).join('')).not.toMatch(/reconnect|error|fail|closed|disconnect/i);
    // Up to 0.9 the second connection looks like that of a worker. Since 0.11 it is on /otel, and the engine calls no auth function there.
    const upgrades = ['0.2.1', '0.3.0', '0.9.0'].includes(version) ? 2 : 1;
    expect(authCalls()).toBe(listener === 'with rules' ? upgrades : 0);
    child.stdin.end();
    expect((await exit)[0]).toBe(0);
    expect(proxy.links.all).toHaveLength(2);
  },
);
