import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { stablePorts } from '@rivulet/testkit/engines/stable-ports';
import { Inbox } from '@rivulet/testkit/inbox';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type ConnectionState, type InitOptions, type InvocationError, registerWorker } from '../../src/index.js';
import { connectWorker, settled } from '../connect-worker.js';

const call = { function_id: 'app::f', payload: 1 };
const messageOf = (error: InvocationError) => error.message;
const quickly = { initialDelayMs: 1, maxDelayMs: 1 };

/** Starts a server that refuses every upgrade, as a listener does whose auth function refuses. */
async function refusing(): Promise<number> {
  const server = createServer().on('upgrade', (_request, socket) => {
    // The client may have closed the socket before. The test ignores that.
    socket.on('error', () => {}).end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Resolves with a worker after `times` failed attempts. */
async function failed(url: string, times: number, options: InitOptions = {}) {
  const warnings: string[][] = [];
  const states = new Inbox<ConnectionState>();
  const worker = connectWorker(url, { reconnection: quickly, onWarning: (...warning) => warnings.push(warning), ...options });
  worker.onConnectionState((state) => states.push(state));
  for (let time = 0; time < times; time++) await states.take(({ kind }) => kind === 'waiting', 'a failed attempt');
  return { worker, warnings };
}

test('a refused connection is reported once, and a call that was not sent says so, both with the cause and without credentials', async () => {
  const port = await refusing();
  const { worker, warnings } = await failed(`ws://me:pass@127.0.0.1:${port}/?api_key=secret`, 3);
  const cause = `no connection to ws://127.0.0.1:${port} (Unexpected server response: 401)`;
  expect(warnings).toEqual([['NO_CONNECTION', `${cause}; it is tried again`]]);
  expect(await worker.trigger({ ...call, timeoutMs: 1 }).catch(messageOf)).toBe(
    `TIMEOUT: invocation timed out after 1ms; not sent: ${cause}`,
  );
});

test('an engine that is not there is named with the error of the system, also where its name has two addresses', async () => {
  const { port } = await stablePorts(['port']);
  for (const host of ['127.0.0.1', 'localhost']) {
    const { warnings } = await failed(`ws://${host}:${port}/path`, 1);
    expect(warnings).toEqual([
      ['NO_CONNECTION', expect.stringMatching(/^no connection to ws:\/\/\S+\/path \(.*ECONNREFUSED.*\); it is tried again$/)],
    ]);
  }
});

test('out of attempts, the warning and the calls that wait say why', async () => {
  const warnings: string[][] = [];
  const port = await refusing();
  const worker = connectWorker(`ws://127.0.0.1:${port}`, {
    reconnection: { maxRetries: 0 },
    onWarning: (...warning) => warnings.push(warning),
  });
  const cause = `no connection to ws://127.0.0.1:${port} (Unexpected server response: 401)`;
  expect(await worker.trigger(call).catch(messageOf)).toBe(`WORKER_CLOSED: no attempt to connect is left: ${cause}`);
  expect(warnings).toEqual([['NO_CONNECTION', cause]]);
});

test('S41 ws: to another machine is reported once, and to this machine not at all', async () => {
  const port = await refusing();
  const codesAt = async (address: string) => {
    const warnings: string[] = [];
    const worker = connectWorker(address, { reconnection: { maxRetries: 1 }, onWarning: (code) => warnings.push(code) });
    await worker.trigger(call).catch(messageOf);
    return warnings;
  };
  // The text names this machine, but it looks like the address of another machine.
  expect(await codesAt(`ws://[::ffff:127.0.0.1]:${port}`)).toEqual(['INSECURE_URL', 'NO_CONNECTION']);
  for (const host of ['127.0.0.1', '127.3.2.1', 'localhost', '[::1]', 'a.localhost'])
    expect([host, (await codesAt(`ws://${host}:${port}`)).includes('INSECURE_URL')]).toEqual([host, false]);
});

test('without onWarning it is written to the console', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  onTestFinished(() => {
    warn.mockRestore();
  });
  const states = new Inbox<ConnectionState>();
  const worker = registerWorker(`ws://127.0.0.1:${await refusing()}`);
  onTestFinished(() => worker.close());
  worker.onConnectionState((state) => states.push(state));
  await states.take(({ kind }) => kind === 'waiting', 'the refusal');
  expect(warn).toHaveBeenCalledExactlyOnceWith('[rivulet]', 'NO_CONNECTION', expect.stringContaining('401'));
});

test('a call that was sent, and a worker that is closed before it could connect, do not mention a connection', async () => {
  const { workerUrl } = await startTestEngine();
  const warnings: string[][] = [];
  const onWarning = (...warning: string[]) => warnings.push(warning);
  const worker = connectWorker(workerUrl, { onWarning });
  worker.registerFunction('app::f', () => new Promise(() => {}));
  await settled(worker);
  expect(await worker.trigger({ ...call, timeoutMs: 50 }).catch(messageOf)).toBe('TIMEOUT: invocation timed out after 50ms');
  await connectWorker(workerUrl, { onWarning }).close();
  expect(warnings).toEqual([]);
});
