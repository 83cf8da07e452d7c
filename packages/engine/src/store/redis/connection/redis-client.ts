import { createClient, RESP_TYPES } from '@redis/client';

/** One value of an answer: bytes are always bytes. */
export type RedisReply = Buffer | number | null | boolean | readonly RedisReply[];

export type Client = ReturnType<typeof makeClient>;

const BYTES = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } } as const;

const TIMED_OUT = new Error('no answer in time');

/** Connects once, and never again by itself. When it gives up in time it leaves no socket behind. */
export async function openClient(url: string, connectTimeoutMs: number): Promise<Client> {
  const client = makeClient(url, connectTimeoutMs);
  // Whoever waits for something is told so; without a listener it would end the process.
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
    // Before it has a socket there is nothing that could be destroyed.
    if (hasSocket) destroy(client);
    throw error;
  }
}

/** As often as wanted. */
export function destroy(client: Client): void {
  if (client.isOpen) client.destroy();
}

export async function sendBytes(client: Client, words: readonly (string | Buffer)[]): Promise<RedisReply> {
  return (await client.sendCommand(words as (string | Buffer)[], BYTES)) as RedisReply;
}

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

function makeClient(url: string, connectTimeout: number) {
  return createClient({
    url,
    disableOfflineQueue: true,
    // Else a server may send the connection to another one unseen, which does not have what this one has acknowledged.
    maintNotifications: 'disabled',
    commandOptions: { timeout: 0 },
    socket: { connectTimeout, reconnectStrategy: false },
  });
}
