import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { expect, onTestFinished, test, vi } from 'vitest';
import { InvocationError } from '../../src/index.js';
import { connectWorker } from '../connect-worker.js';

test('debug tells the console what a worker sends and receives, without payloads and credentials', async () => {
  const { workerUrl, stop } = await startTestEngine({ worker: { authToken: 'a-secret-token' } });
  const spy = vi.spyOn(console, 'info').mockImplementation(() => {});
  onTestFinished(() => {
    spy.mockRestore();
  });
  const worker = connectWorker(`${workerUrl}/?auth_token=a-secret-token`, { debug: true });
  worker.registerFunction('app::echo', async (input: unknown) => input);
  await worker.trigger({ function_id: 'app::echo', payload: { text: 'a secret text' } });
  await expect(worker.trigger({ function_id: 'app::absent', payload: {} })).rejects.toThrow(InvocationError);
  await stop();
  await worker.close();
  const lines = spy.mock.calls.map(([line]) => String(line).replace(/\(call [\w-]+\)/, '(call …)'));
  expect(lines[0]).toBe(`[rivulet] the worker connects to ${workerUrl}/`);
  expect(lines).toEqual(
    expect.arrayContaining([
      '[rivulet] the worker is connected',
      '[rivulet] the worker sends register function app::echo',
      '[rivulet] the worker sends invoke function app::echo (call …)',
      '[rivulet] the worker receives invoke function app::echo (call …)',
      '[rivulet] the worker receives worker registered',
      '[rivulet] the worker sends invocation result app::echo (call …)',
      '[rivulet] the worker receives invocation result app::echo (call …)',
      '[rivulet] the worker receives invocation result app::absent (call …) failed with function_not_found',
      expect.stringMatching(/^\[rivulet\] the worker is not connected any more: 1012 /),
    ]),
  );
  expect(lines.join('\n')).not.toContain('secret');
});

test('without debug the console stays silent', async () => {
  const { workerUrl } = await startTestEngine();
  const spy = vi.spyOn(console, 'info').mockImplementation(() => {});
  onTestFinished(() => {
    spy.mockRestore();
  });
  const worker = connectWorker(workerUrl, { debug: false });
  await worker.listFunctions();
  await worker.close();
  expect(spy).not.toHaveBeenCalled();
});
