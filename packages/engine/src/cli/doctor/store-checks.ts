import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { Config, StoreConfig } from '../../config/config.js';
import { type Finding, findingsOf } from './finding.js';
import { mib } from './machine-checks.js';

const { ok, note, change } = findingsOf('store');
const CONNECT_MS = 2_000;
const ACCESS_BY_OTHERS = 0o077;
const DEFAULT_SPACE = { minFreeBytes: 67_108_864, minFreePercent: 2 };

/** File systems that are no place for a store, by the numbers of `statfs`. */
const NETWORKS: Readonly<Record<number, string>> = { 0x6969: 'NFS', 0xff534d42: 'CIFS', 0xfe534d42: 'SMB', 0x65735546: 'FUSE' };
const TMPFS = 0x01021994;
const OVERLAY = 0x794c7630;

/** Looks at the stores that the configuration names. Opens and changes none of them. */
export async function checkStorePlaces({ stream, state }: Config): Promise<readonly Finding[]> {
  const stores = [
    ['streams', stream?.adapter],
    ['state', state?.adapter],
  ] as const;
  const found = await Promise.all(stores.map(async ([name, store]) => (store === undefined ? [] : await checkStore(name, store))));
  return found.flat();
}

function checkStore(name: string, store: StoreConfig): readonly Finding[] | Promise<readonly Finding[]> {
  switch (store.kind) {
    case 'memory':
      return [note(`${name}: kept in memory, so a restart loses them; set store_method: file_based to keep them`)];
    case 'module':
      return [ok(`${name}: kept by your adapter ${store.path}`)];
    case 'redis':
      return checkRedis(name, store.servers?.nodes ?? [addressOf(store.url)]);
    case 'lmdb':
      return checkDirectory(name, store.path, store.space ?? DEFAULT_SPACE);
  }
}

function checkDirectory(name: string, path: string, space: typeof DEFAULT_SPACE): readonly Finding[] {
  const place = nearestDirectory(path);
  const found: Finding[] = [];
  try {
    accessSync(place, constants.W_OK);
  } catch {
    found.push(change(`${name}: this user may not write into ${place}; run the engine as its owner, or set file_path`));
  }
  const { type, bsize, blocks, bavail } = statfsSync(place);
  const network = NETWORKS[type >>> 0];
  if (network !== undefined) found.push(change(`${name}: ${place} is on ${network}; LMDB needs a local disk, so set file_path to one`));
  if (type === TMPFS) found.push(change(`${name}: ${place} is in memory (tmpfs) and lost with the next boot; set file_path to a disk`));
  if (type === OVERLAY) found.push(note(`${name}: ${place} is in the layer of a container and lost with it; mount a volume there`));
  const free = bavail * bsize;
  const needed = Math.max(space.minFreeBytes, (blocks * bsize * space.minFreePercent) / 100);
  const room = `${mib(free)} are free on the disk of ${place}`;
  if (free < needed) found.push(change(`${name}: ${room}, and writes fail below ${mib(needed)}; give the disk room`));
  else if (free < 2 * needed) found.push(note(`${name}: ${room}, and writes fail below ${mib(needed)}; give the disk room soon`));
  if (existsSync(path) && (statSync(path).mode & ACCESS_BY_OTHERS) !== 0)
    found.push(note(`${name}: other users of this machine may read ${path}; the next start closes it, or run chmod 700 ${path}`));
  return found.length > 0 ? found : [ok(`${name}: ${path} can be written; ${room}`)];
}

/** Returns the directory, or the nearest one above it that exists. */
function nearestDirectory(path: string): string {
  let place = path;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  return place;
}

async function checkRedis(name: string, addresses: readonly string[]): Promise<readonly Finding[]> {
  const reached = await Promise.all(addresses.map(async (address) => ({ address, reason: await connectFailure(address) })));
  const lost = reached.filter(({ reason }) => reason !== undefined);
  if (lost.length === 0) return [ok(`${name}: ${addresses.join(', ')} accepts connections`)];
  return lost.map(({ address, reason }) =>
    change(`${name}: no connection to the Redis at ${address} (${reason}); start it, or correct redis_url or nodes`),
  );
}

/** Returns `host:port` of the address of a Redis, without its credentials. */
function addressOf(url: string): string {
  const [, host = 'localhost', port = '6379'] = /^rediss?:\/\/(?:[^@/]*@)?(\[[^\]]*\]|[^:/?]+)(?::(\d+))?/.exec(url) ?? [];
  return `${host}:${port}`;
}

/** Resolves with why a server cannot be reached, or with `undefined`. */
function connectFailure(address: string): Promise<string | undefined> {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? [];
  return new Promise((resolve) => {
    const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port: Number(port), timeout: CONNECT_MS });
    const end = (reason: string | undefined) => {
      socket.destroy();
      resolve(reason);
    };
    socket.once('connect', () => end(undefined));
    socket.once('timeout', () => end('no answer'));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
