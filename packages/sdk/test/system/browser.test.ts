import { isBuiltin } from 'node:module';
import { openPage, servePage } from '@rivulet/testkit/browser';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type * as sdk from '../../src/browser.js';
import type { ChannelWriter, InvocationError } from '../../src/index.js';
import { bundleForBrowser } from '../bundle.js';
import { connectWorker, settled } from '../connect-worker.js';

declare global {
  interface Window {
    rivulet: typeof sdk;
    worker_: sdk.ISdk;
    events_: string[];
  }
}

/** The bound for the minified and compressed SDK. A page should not wait for it. */
const MOST_GZIP_BYTES = 15_000;

test('the bundle for pages holds nothing of Node, and stays small', async () => {
  const { code, modules, imports, gzipBytes } = await bundleForBrowser();
  expect(imports).toEqual([]);
  expect(modules.filter((module) => isBuiltin(module) || /node-[a-z-]+\.ts$|node_modules/.test(module))).toEqual([]);
  expect(code).not.toMatch(/\b(process|Buffer|require|__dirname)\b\s*[.([]/);
  expect(gzipBytes).toBeLessThan(MOST_GZIP_BYTES);
  console.log(`the SDK in a page: ${code.length} bytes minified, ${gzipBytes} compressed`);
});

/** Opens a page with the SDK and a worker that is connected to `url`. */
async function openWorker(page: Page, url: string): Promise<void> {
  await page.goto(await servePage());
  await page.addScriptTag({ content: (await bundleForBrowser()).code });
  await page.evaluate((address) => {
    window.events_ = [];
    window.worker_ = window.rivulet.registerWorker(address);
  }, url);
}

const call = (page: Page, functionId: string, payload: unknown) =>
  page.evaluate(
    ([function_id, data]) =>
      window.worker_.trigger({ function_id, payload: data }).catch((error: sdk.InvocationError) => ({ code: error.code })),
    [functionId, payload] as const,
  );

/** Resolves when the engine has handled everything that the worker of the page has sent. */
async function settledPage(page: Page): Promise<void> {
  for (let round = 0; round < 2; round++) await call(page, 'engine::channels::create', {});
}

test('a page calls, is called, and moves bytes through a channel', async () => {
  const { workerUrl } = await startTestEngine();
  const worker = connectWorker(workerUrl);
  worker.registerFunction('app::double', (n: number) => n * 2);
  worker.registerFunction('app::read', async ({ reader }: { reader: { readAll(): Promise<Buffer> } }) => (await reader.readAll()).length);
  await settled(worker);
  const page = await openPage();
  await openWorker(page, workerUrl);
  expect(await call(page, 'app::double', 21)).toBe(42);
  expect(await call(page, 'app::missing', {})).toEqual({ code: 'function_not_found' });
  await page.evaluate(() => void window.worker_.registerFunction('ui::title', () => document.title));
  await settledPage(page);
  expect(await worker.trigger({ function_id: 'ui::title', payload: {} })).toBe('test');
  const sent = await page.evaluate(async () => {
    const { writer, readerRef } = await window.worker_.createChannel();
    const length = window.worker_.trigger({ function_id: 'app::read', payload: { reader: readerRef } });
    await writer.write(new Uint8Array(300_000));
    await writer.close();
    return length;
  });
  expect(sent).toBe(300_000);
  const received = await page.evaluate(async () => {
    const { writer, reader } = await window.worker_.createChannel();
    void writer.write(new Uint8Array([1, 2, 3])).then(() => writer.close());
    return [...(await reader.readAll())];
  });
  expect(received).toEqual([1, 2, 3]);
  const given = await page.evaluate(async () => {
    const { writer, reader } = await window.worker_.createChannel();
    const read = reader.readAll().catch((error: sdk.InvocationError) => error.code);
    await writer.write(new Uint8Array([1]));
    await writer.stream.abort();
    return [await read, await writer.close().catch((error: sdk.InvocationError) => error.code)];
  });
  expect(given).toEqual(['CHANNEL_LOST', 'CHANNEL_LOST']);
});

test('in a page a writer is aborted while its reader rests, and texts that wait are bounded by their size', async () => {
  const { workerUrl } = await startTestEngine();
  const page = await openPage();
  await openWorker(page, workerUrl);
  const seen = await page.evaluate(async () => {
    const { writer, reader } = await window.worker_.createChannel();
    await writer.write(new Uint8Array(1));
    const stream = writer.stream.getWriter();
    const closed = stream.closed.catch(() => 'aborted');
    const write = stream.write(new Uint8Array(40_000_000)).catch((error: sdk.InvocationError) => error.code);
    let full = '';
    try {
      for (let n = 0; n < 18; n++) writer.sendMessage('x'.repeat(1_000_000));
    } catch (error) {
      full = (error as sdk.InvocationError).code;
    }
    await stream.abort('enough');
    return [await write, await closed, full, await reader.readAll().catch((error: sdk.InvocationError) => error.code)];
  });
  expect(seen).toEqual(['CHANNEL_LOST', 'aborted', 'QUEUE_FULL', 'CHANNEL_LOST']);
});

test('in a page a loop over a reader that is left tells its writer', async () => {
  const { workerUrl } = await startTestEngine();
  const worker = connectWorker(workerUrl);
  const left = new Promise<string>((resolve) => {
    worker.registerFunction('app::write', ({ writer }: { writer: ChannelWriter }) => {
      writer.stream.once('error', (error) => resolve((error as InvocationError).code));
      writer.stream.write('x');
    });
  });
  await settled(worker);
  const page = await openPage();
  await openWorker(page, workerUrl);
  await page.evaluate(async () => {
    const { reader, writerRef } = await window.worker_.createChannel();
    await window.worker_.trigger({ function_id: 'app::write', payload: { writer: writerRef } });
    for await (const bytes of reader) if (bytes.length > 0) break;
  });
  expect(await left).toBe('CHANNEL_LOST');
});

/** Starts an engine with a listener for guests. A guest needs the key, and may call `api::*`. */
async function startGuestListener() {
  const { workerUrl, guestUrl } = await startTestEngine({
    guest: { rbac: { authFunction: 'app::auth', exposeFunctions: [{ kind: 'match', pattern: 'api::*' }] } },
  });
  const worker = connectWorker(workerUrl);
  worker.registerFunction('app::auth', ({ query_params }: { query_params: Record<string, string[]> }) => {
    if (query_params.api_key?.[0] !== 'good') throw new Error('no such key');
    return {};
  });
  worker.registerFunction('api::open', () => 'open');
  worker.registerFunction('app::hidden', () => 'hidden');
  await settled(worker);
  return { worker, guestUrl };
}

test('RB-3 a page behind rules calls an exposed function, is refused a hidden one, and moves bytes through a channel', async () => {
  const { guestUrl } = await startGuestListener();
  const page = await openPage();
  await openWorker(page, `${guestUrl}/?api_key=good`);
  expect(await call(page, 'api::open', {})).toBe('open');
  expect(await call(page, 'app::hidden', {})).toEqual({ code: 'FORBIDDEN' });
  expect(await call(page, 'app::missing', {})).toEqual({ code: 'FORBIDDEN' });
  const received = await page.evaluate(async () => {
    const { writer, reader } = await window.worker_.createChannel();
    void writer.write(new Uint8Array([1, 2, 3])).then(() => writer.close());
    return [...(await reader.readAll())];
  });
  expect(received).toEqual([1, 2, 3]);
});

test('RB-10 a page with a wrong key does not connect, and waits longer each time', async () => {
  const { guestUrl } = await startGuestListener();
  const page = await openPage();
  await openWorker(page, `${guestUrl}/?api_key=bad`);
  await page.waitForFunction(() => {
    const state = window.worker_.connectionState;
    return state.kind === 'waiting' && state.attempt >= 1;
  });
  expect(await page.evaluate(() => window.worker_.workerId ?? 'none')).toBe('none');
});

test('two pages behind rules that register one function and one trigger each get their events', async () => {
  const { worker, guestUrl } = await startGuestListener();
  const page = await openPage();
  const other = await page.context().newPage();
  for (const tab of [page, other]) {
    await openWorker(tab, `${guestUrl}/?api_key=good`);
    await tab.evaluate(() => {
      window.worker_.registerFunction('ui::on', ({ id }: { id: string }) => void window.events_.push(id));
      window.worker_.registerTrigger({ type: 'stream', function_id: 'ui::on', config: { stream_name: 'chat' } });
    });
    await settledPage(tab);
  }
  const set = (item_id: string) =>
    worker.trigger({ function_id: 'stream::set', payload: { stream_name: 'chat', group_id: 'r', item_id, data: { item_id } } });
  for (const id of ['m1', 'm2']) await set(id);
  for (const tab of [page, other]) {
    await tab.waitForFunction(() => window.events_.length > 1, undefined);
    expect(await tab.evaluate(() => window.events_)).toEqual(['m1', 'm2']);
  }
});
