import type { createClient, RESP_TYPES } from '@redis/client';

/** One value of a reply. Strings come as bytes. */
export type RedisReply = Buffer | number | null | boolean | readonly RedisReply[];

export type Client = ReturnType<typeof makeClient>;

const BLOB_STRING: (typeof RESP_TYPES)['BLOB_STRING'] = 36;
const BYTES = { typeMapping: { [BLOB_STRING]: Buffer } } as const;

const TIMED_OUT = new Error('no answer in time');

/** Connects once, and does not reconnect by itself. Rejects after `connectTimeoutMs` and leaves no open socket. */
export async function openClient(url: string, connectTimeoutMs: number): Promise<Client> {
  // The library has about 490 files. An engine without a Redis starts without them.
  const client = makeClient((await import('@redis/client')).createClient, url, connectTimeoutMs);
  // The commands reject by themselves. Without a listener an error event would end the process.
  client.on('error', () => {});
  let hasSocket = false;
  let gaveUp = false;
  client.once('connect', () => {
    hasSocket = true;
    if (gaveUp) client.destroy();
  });
  try {
    await inTime(client.connect(), connectTimeoutMs);
    return client;
  } catch (error) {
    gaveUp = true;
    // Without a socket there is nothing to destroy yet: the listener above does it later.
    if (hasSocket) destroy(client);
    throw error;
  }
}

/** Closes the client. May be called again. */
export function destroy(client: Client): void {
  if (client.isOpen) client.destroy();
}

/** Sends one command. The strings of its reply are buffers. */
export async function sendBytes(client: Client, words: readonly (string | Buffer)[]): Promise<RedisReply> {
  return (await client.sendCommand(words as (string | Buffer)[], BYTES)) as RedisReply;
}

/** Resolves or rejects as `answer` does, and rejects after the given time. */
export async function inTime<T>(answer: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(TIMED_OUT), milliseconds);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

function makeClient(create: typeof createClient, url: string, connectTimeout: number) {
  return create({
    url,
    disableOfflineQueue: true,
    // Otherwise a server may move the connection to another server, which may lack acknowledged writes.
    maintNotifications: 'disabled',
    commandOptions: { timeout: 0 },
    socket: { connectTimeout, reconnectStrategy: false },
  });
}
