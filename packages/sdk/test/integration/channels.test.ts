import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { expect, test } from 'vitest';
import { ChannelReader, ChannelWriter, type InvocationError } from '../../src/index.js';
import { connectWorker, settled } from '../connect-worker.js';

async function pair() {
  const { workerUrl } = await startTestEngine();
  return { executor: connectWorker(workerUrl), caller: connectWorker(workerUrl) };
}

test('a writer that is destroyed before its first write fails the reader that waits', async () => {
  const { workerUrl } = await startTestEngine();
  const worker = connectWorker(workerUrl);
  const { writer, reader } = await worker.createChannel();
  const read = reader.readAll().catch((error: InvocationError) => error.code);
  writer.stream.destroy();
  expect(await read).toBe('CHANNEL_LOST');
});

test('RB-12 bytes and texts arrive whole and in order, over a channel that is handed to a handler', async () => {
  const { executor, caller } = await pair();
  executor.registerFunction('app::produce', async ({ out }: { out: ChannelWriter }) => {
    expect(out).toBeInstanceOf(ChannelWriter);
    out.sendMessage('begin');
    for (let n = 0; n < 20; n++) out.stream.write(Buffer.alloc(100_000, n));
    out.sendMessage('end');
    out.stream.end();
    return 'produced';
  });
  await settled(executor);
  const channel = await caller.createChannel(4);
  const texts = new Inbox<string>();
  channel.reader.onMessage((text) => texts.push(text));
  const reading = channel.reader.readAll();
  expect(await caller.trigger({ function_id: 'app::produce', payload: { out: channel.writerRef } })).toBe('produced');
  const bytes = await reading;
  expect(bytes.length).toBe(2_000_000);
  expect(bytes.equals(Buffer.concat(Array.from({ length: 20 }, (_, n) => Buffer.alloc(100_000, n))))).toBe(true);
  expect(texts.all).toEqual(['begin', 'end']);
});

test('an end of a channel inside a payload or a result travels as its reference', async () => {
  const { executor, caller } = await pair();
  executor.registerFunction('app::consume', async ({ list: [reader] }: { list: ChannelReader[] }) => {
    expect(reader).toBeInstanceOf(ChannelReader);
    return { text: (await reader?.readAll())?.toString(), reader };
  });
  await settled(executor);
  const { writer, reader, readerRef } = await caller.createChannel();
  writer.stream.end('hello');
  const answer = await caller.trigger({ function_id: 'app::consume', payload: { list: [reader] } });
  expect(answer).toEqual({ text: 'hello', reader: readerRef });
});

test('a channel that does not exist is CHANNEL_LOST on both ends, and ends no process', async () => {
  const { workerUrl } = await startTestEngine();
  const ref = { channel_id: 'none', access_key: 'none' };
  const reader = new ChannelReader(workerUrl, { ...ref, direction: 'read' });
  expect(await reader.readAll().catch((error: InvocationError) => error.code)).toBe('CHANNEL_LOST');
  const writer = new ChannelWriter(workerUrl, { ...ref, direction: 'write' });
  const code = await new Promise((resolve) => writer.stream.write('x', (error) => resolve((error as InvocationError | null)?.code)));
  expect(code).toBe('CHANNEL_LOST');
});

test('a callback that throws at a text ends its channel alone; a reader that is closed ends quietly', async () => {
  const { caller } = await pair();
  const first = await caller.createChannel();
  first.reader.onMessage((text) => void JSON.parse(text));
  const failed = new Promise<Error>((resolve) => first.reader.stream.once('error', resolve));
  first.writer.sendMessage('no JSON');
  expect(await failed).toBeInstanceOf(SyntaxError);
  const second = await caller.createChannel();
  const reading = second.reader.readAll();
  second.reader.close();
  expect((await reading).length).toBe(0);
});

test('a writer feels a reader that leaves', async () => {
  const { caller } = await pair();
  const { writer, reader } = await caller.createChannel(1);
  const code = new Promise((resolve) => writer.stream.once('error', (error) => resolve((error as InvocationError).code)));
  reader.stream.once('data', () => reader.stream.destroy());
  writer.stream.write('x');
  expect(await code).toBe('CHANNEL_LOST');
});
