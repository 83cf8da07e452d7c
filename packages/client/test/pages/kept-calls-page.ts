import type { StreamClient } from '../../src/index.js';
import { type KeptCalls, keepCalls } from '../../src/kept-calls.js';
import { tapped } from './tapped.js';

/** A page whose calls are kept, and what became of those of earlier pages. */
export interface KeepingPage {
  readonly client: StreamClient;
  readonly persist: KeptCalls;
  /** A word for each message of the client: `call`. */
  readonly sent: readonly string[];
  /** The function and the outcome of each call of an earlier page. */
  readonly settled: readonly string[];
  readonly errors: readonly string[];
  /** Lets the client connect. */
  readonly connect: () => void;
}

/** Opens a client with kept calls. It does not connect before `connect`. */
export function openKeeping(url: string, identity: string): KeepingPage {
  const settled: string[] = [];
  const errors: string[] = [];
  let connect = () => {};
  const gate = new Promise<undefined>((resolve) => {
    connect = () => resolve(undefined);
  });
  const persist = keepCalls('board', identity, {
    onSettled: (restored) => {
      const outcome = restored.kind === 'result' ? JSON.stringify(restored.result) : restored.error.code;
      settled.push(`${restored.call.functionId} ${outcome}`);
    },
  });
  const { client, sent } = tapped(url, { getToken: () => gate, calls: { persist } });
  client.onError(({ code }) => errors.push(code));
  return { client, persist, sent, settled, errors, connect };
}

/** Returns the payloads of the calls that the browser keeps, in their order. */
export async function keptPayloads(): Promise<readonly string[]> {
  const opening = indexedDB.open('rivulet-calls:board', 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore('calls', { keyPath: 'id' });
  const database = await new Promise<IDBDatabase>((resolve) => {
    opening.onsuccess = () => resolve(opening.result);
  });
  const rows = database.transaction('calls').objectStore('calls').getAll();
  await new Promise<void>((resolve) => {
    rows.onsuccess = () => resolve();
  });
  database.close();
  return (rows.result as { call: { data: string } }[]).map(({ call }) => call.data);
}
