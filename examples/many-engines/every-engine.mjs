// A worker at every engine: for functions that engines call, since each calls only those of workers that are connected to itself.
import { lookup as systemLookup } from 'node:dns/promises';

const LOOK_EVERY_MS = 5_000;
const MOST_ENGINES = 100;

/** @typedef {{ drain(): Promise<unknown> }} Worker */

/**
 * Calls `connect` with the URL of each engine that `urls` stand for, once. A host name may stand for many, as that of a headless Service does: names
 * are looked up every 5 s, and a worker whose engine is no longer among them is drained. At most 100 engines.
 *
 * @param {readonly string[]} urls
 * @param {(url: string) => Worker} connect
 * @param {{ lookup?: (host: string) => Promise<readonly { address: string }[]>, everyMs?: number }} [options]
 * @returns {() => Promise<void>} drains them all
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
      // That says nothing of the engines: those that are known stay.
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
