import { openPage, servePage } from '@rivulet/testkit/browser';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { expect, test } from 'vitest';
import { bundleForBrowser } from '../bundle.js';
import { connectWorker } from '../connect-worker.js';

const TOKEN = 'a+secret/of=the-workers&co';

test('D1 authToken opens a worker listener with auth_token, also for channels', async () => {
  const { workerUrl, log } = await startTestEngine({ worker: { authToken: TOKEN } });
  const worker = connectWorker(workerUrl, { authToken: TOKEN, headers: { 'x-team': 'a' } });
  worker.registerFunction('app::echo', async (data: unknown) => data);
  expect(await worker.trigger({ function_id: 'app::echo', payload: { a: 1 } })).toMatchObject({ a: 1 });
  const { writer, reader } = await worker.createChannel();
  writer.stream.end('through a channel');
  expect((await reader.readAll()).toString()).toBe('through a channel');
  expect(JSON.stringify(log)).not.toContain('secret');
});

test('D1 a worker without the token, or with a wrong one, does not get in and says why', async () => {
  const { workerUrl } = await startTestEngine({ worker: { authToken: TOKEN } });
  for (const options of [{}, { authToken: 'wrong' }]) {
    const warned = new Promise<string>((resolve) => {
      connectWorker(workerUrl, { ...options, onWarning: (_code, message) => resolve(message) });
    });
    expect(await warned).toMatch(/401/);
  }
});

test('D1 a page brings the token in the query', async () => {
  const { workerUrl } = await startTestEngine({ worker: { authToken: TOKEN } });
  const page = await openPage();
  await page.goto(await servePage());
  await page.addScriptTag({ content: (await bundleForBrowser()).code });
  const answer = await page.evaluate(
    async ([url, authToken]) => {
      const worker = window.rivulet.registerWorker(url ?? '', { authToken: authToken ?? '' });
      const health: unknown = await worker.trigger({ function_id: 'engine::health::check', payload: {} });
      await worker.close();
      return health;
    },
    [workerUrl, TOKEN],
  );
  expect(answer).toMatchObject({ status: expect.any(String) });
});
