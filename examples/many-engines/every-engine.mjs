// Keeps a worker at every engine. An engine calls only functions of its own workers.
import { lookup as systemLookup } from 'node:dns/promises';

const LOOK_EVERY_MS = 5_000;
const MOST_ENGINES = 100;

/** @typedef {{ drain(): Promise<unknown> }} Worker */

/**
 * Calls `connect` once with the URL of each engine, for at most 100 engines. A host name may have several addresses, as that of a headless
 * Service has. It looks up names every 5 s, connects to new addresses, and drains workers whose address is no longer listed.
 *
 * @param {readonly string[]} urls
 * @param {(url: string) => Worker} connect
 * @param {{ lookup?: (host: string) => Promise<readonly { address: string }[]>, everyMs?: number }} [options]
 * @returns {() => Promise<void>} drains all workers
 */
export function atEveryEngine(urls, connect, { lookup = lookupAll, everyMs = LOOK_EVERY_MS } = {}) {
  /** @type {Map<string, Worker>} */
  const workers = new Map();
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  let closed = false;

  /** @param {ReadonlySet<string>} wanted */
  const become = (wanted) => {
    for (const [url, worker] of workers) {
      if (wanted.has(url)) continue;
      workers.delete(url);
      void worker.drain();
    }
    for (const url of wanted) if (!workers.has(url)) workers.set(url, connect(url));
  };
  const look = async () => {
    try {
      const found = await Promise.all(urls.map((url) => addressesOf(url, lookup)));
      if (!closed) become(new Set(found.flat().slice(0, MOST_ENGINES)));
    } catch (error) {
      // A failed lookup says nothing about the engines, so keep the known ones.
      console.log(`engines not looked up: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (!closed) timer = setTimeout(() => void look(), everyMs);
  };

  void look();
  return async () => {
    closed = true;
    clearTimeout(timer);
    await Promise.all([...workers.values()].map((worker) => worker.drain()));
  };
}

/** @param {string} host */
const lookupAll = (host) => systemLookup(host.replace(/^\[|\]$/g, ''), { all: true });

/**
 * @param {string} text
 * @param {(host: string) => Promise<readonly { address: string }[]>} lookup
 */
async function addressesOf(text, lookup) {
  const url = new URL(text);
  const found = await lookup(url.hostname);
  return found.map(({ address }) => {
    url.hostname = address.includes(':') ? `[${address}]` : address;
    return url.href;
  });
}
