import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { TransferCommand, TransferReport } from './commands.js';

/** Bytes of one write, as in the SDKs. */
const CHUNK_BYTES = 65_536;
/** Bytes that may wait in the writer, as in the streams of the SDKs. */
const MOST_UNSENT = 16 * CHUNK_BYTES;

/** Runs both ends of a transfer in this process: one socket writes, another one reads. */
export async function transfer({ through, url, bytes }: TransferCommand): Promise<TransferReport> {
  const ends = through === 'rivulet' ? await createChannel(url) : { write: `${url}?dir=write`, read: `${url}?dir=read` };
  const reader = await open(ends.read);
  const writer = await open(ends.write);
  let received = 0;
  const complete = new Promise<void>((resolve, reject) => {
    reader.on('message', (data: Buffer) => {
      received += data.length;
      if (received >= bytes) resolve();
    });
    reader.on('close', () => reject(new Error(`the reader was closed after ${received} of ${bytes} bytes`)));
  });
  const begun = performance.now();
  await write(writer, bytes);
  await complete;
  const seconds = (performance.now() - begun) / 1_000;
  writer.terminate();
  reader.terminate();
  return { bytes: received, seconds };
}

async function write(writer: WebSocket, bytes: number): Promise<void> {
  const chunk = Buffer.alloc(CHUNK_BYTES, 7);
  for (let sent = 0; sent < bytes; sent += CHUNK_BYTES) {
    const handed = new Promise<void>((resolve, reject) => writer.send(chunk, (error) => (error == null ? resolve() : reject(error))));
    if (writer.bufferedAmount >= MOST_UNSENT) await handed;
    else handed.catch(() => {});
  }
}

async function createChannel(url: string): Promise<{ readonly write: string; readonly read: string }> {
  const worker = await open(url);
  const answer = new Promise<Record<'writer' | 'reader', { readonly channel_id: string; readonly access_key: string }>>((resolve) => {
    worker.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { type: string; result: never };
      if (frame.type === 'invocationresult') resolve(frame.result);
    });
  });
  worker.send(JSON.stringify({ type: 'invokefunction', invocation_id: 'c', function_id: 'engine::channels::create', data: {} }));
  const { writer, reader } = await answer;
  const address = (end: { readonly channel_id: string; readonly access_key: string }, dir: string) =>
    `${url}ws/channels/${end.channel_id}?key=${end.access_key}&dir=${dir}`;
  return { write: address(writer, 'write'), read: address(reader, 'read') };
}

async function open(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await once(socket, 'open');
  return socket;
}
