import { messageOf } from '../../../structures/message-of.js';
import { SLOTS, slotOf } from './hash-slots.js';
import { type Client, destroy, inTime, openClient } from './redis-client.js';

/** How the servers are found. Each node is `host:port`. */
export type RedisServers =
  /** One server, at `url`. */
  | { readonly kind: 'single' }
  /** Sentinels that watch the primary under the name `name`. */
  | { readonly kind: 'sentinels'; readonly nodes: readonly string[]; readonly name: string }
  /** Some nodes of a Redis Cluster. They name the other ones. */
  | { readonly kind: 'cluster'; readonly nodes: readonly string[] };

/** The servers that take writes, and the keys of each. */
export interface Primaries {
  /** Addresses as `host:port`. */
  readonly all: readonly string[];
  /** Returns the server of a key; `undefined` when its slot has no server now. */
  readonly ownerOf: (key: string) => string | undefined;
  /** The server of each slot. Only in a Cluster. */
  readonly owners?: readonly (string | undefined)[];
  /** Nodes that the next search asks first. */
  readonly known: readonly string[];
}

/** Whether each server has the same keys in both. */
export function isSame(a: Primaries, b: Primaries): boolean {
  if (a.owners === undefined || b.owners === undefined) return a.all.length > 0 && a.all[0] === b.all[0];
  return a.owners.every((owner, slot) => owner === b.owners?.[slot]);
}

/** Whether every key has a server. */
export function isWhole({ all, owners }: Primaries): boolean {
  return owners === undefined ? all.length > 0 : owners.every((owner) => owner !== undefined);
}

export interface Times {
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

/** Nodes of a Cluster that are queried at once. */
const MOST_ASKED = 16;
/** After the first answer, the other nodes have this long to give a newer view, in milliseconds. */
const OTHERS_MS = 500;

/** Finds the servers. Rejects when no node answers. `known` are nodes that an earlier answer named. */
export async function findPrimaries(servers: RedisServers, url: string, known: readonly string[], times: Times): Promise<Primaries> {
  switch (servers.kind) {
    case 'single':
      return onlyOne(nodeOf(url));
    case 'sentinels':
      return onlyOne(await primaryOf(servers.nodes, servers.name, times));
    case 'cluster':
      // All known nodes may have been replaced, so ask some of the configured ones too.
      return clusterOf([...new Set([...known.slice(0, MOST_ASKED / 2), ...servers.nodes])].slice(0, MOST_ASKED), url, times);
    default:
      return servers satisfies never;
  }
}

/** Returns `url` with host and port of the node. Throws when `node` is not `host:port`. */
export function addressOf(url: string, node: string): string {
  // oxlint-disable-next-line eslint/no-restricted-globals -- the configuration was checked with canParse
  const at = new URL(url);
  const colon = node.lastIndexOf(':');
  const host = node.slice(0, colon).replace(/^\[|\]$/g, '');
  const hostname = host.includes(':') ? `[${host}]` : host;
  // The setters of URL silently ignore an invalid host, and the address would then name another server.
  // oxlint-disable-next-line eslint/no-restricted-globals -- canParse never throws
  if (host === '' || !URL.canParse(`redis://${hostname}:${node.slice(colon + 1)}`)) throw new Error(`"${node}" is not host:port`);
  at.hostname = hostname;
  at.port = node.slice(colon + 1);
  return at.href;
}

function nodeOf(url: string): string {
  // oxlint-disable-next-line eslint/no-restricted-globals -- the configuration was checked with canParse
  const { hostname, port } = new URL(url);
  return `${hostname.replace(/^\[|\]$/g, '')}:${port || '6379'}`;
}

function onlyOne(node: string): Primaries {
  return { all: [node], ownerOf: () => node, known: [] };
}

/** Returns the primary that the first sentinel names. The engine queries all at once, because one on a dead machine may never answer. */
async function primaryOf(nodes: readonly string[], name: string, times: Times): Promise<string> {
  const why: string[] = [];
  const asks = nodes.map((node) =>
    askNode(`redis://${node}`, times, async (client) => {
      const found: unknown = await client.sendCommand(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name]);
      if (!Array.isArray(found)) throw new Error(`it knows no primary "${name}"`);
      const [host, port] = found.map(String);
      return `${host}:${port}`;
    }).catch((error: unknown) => {
      why.push(`${node}: ${messageOf(error)}`);
      throw error;
    }),
  );
  try {
    return await Promise.any(asks);
  } catch {
    throw new Error(`no sentinel names the primary (${why.join('; ')})`);
  }
}

/** One node's view of a cluster. */
interface View {
  /** Grows with each change of the Cluster: a higher epoch is a newer view. */
  readonly epoch: number;
  readonly owners: readonly (string | undefined)[];
  readonly nodes: readonly string[];
}

/** Returns the newest view of those nodes that answer. A node that is isolated from the other ones still has an old view. */
async function clusterOf(nodes: readonly string[], url: string, times: Times): Promise<Primaries> {
  const views: View[] = [];
  const why: string[] = [];
  let first = () => {};
  const some = new Promise<void>((resolve) => (first = resolve));
  const all = Promise.all(
    nodes.map((node) =>
      askNode(addressOf(url, node), times, (client) => viewOf(client, node)).then(
        (view) => {
          views.push(view);
          first();
        },
        (error: unknown) => {
          why.push(`${node}: ${messageOf(error)}`);
        },
      ),
    ),
  );
  await Promise.race([all, some]);
  await inTime(all, OTHERS_MS).catch(() => {});
  const newest = views.sort((a, b) => b.epoch - a.epoch)[0];
  if (newest === undefined) throw new Error(`no node of the cluster says which server has what (${why.join('; ')})`);
  const { owners } = newest;
  return {
    all: [...new Set(owners)].filter((owner) => owner !== undefined),
    ownerOf: (key) => owners[slotOf(key)],
    owners,
    known: newest.nodes,
  };
}

type SlotServer = readonly [host: string | null, port: number];

async function viewOf(client: Client, node: string): Promise<View> {
  const [text, ranges] = await Promise.all([
    client.sendCommand<string>(['CLUSTER', 'INFO']),
    client.sendCommand<readonly (readonly [number, number, ...SlotServer[]])[]>(['CLUSTER', 'SLOTS']),
  ]);
  if (!text.includes('cluster_state:ok')) throw new Error('it is isolated from the cluster, or some slots have no server');
  const owners: (string | undefined)[] = Array.from({ length: SLOTS });
  const nodes: string[] = [];
  for (const [from, through, ...servers] of ranges) {
    const names = servers.map((server) => nameOf(server, node));
    nodes.push(...names);
    owners.fill(names[0], from, through + 1);
  }
  return { epoch: Number(/cluster_current_epoch:(\d+)/.exec(text)?.[1] ?? 0), owners, nodes: [...new Set(nodes)] };
}

/** Returns `host:port` of a server. A server without a host in the answer has the host that answered. */
function nameOf([host, port]: SlotServer, answeredBy: string): string {
  return `${host === null || host === '' || host === '?' ? answeredBy.slice(0, answeredBy.lastIndexOf(':')) : host}:${port}`;
}

async function askNode<T>(address: string, { connectTimeoutMs, commandTimeoutMs }: Times, ask: (client: Client) => Promise<T>): Promise<T> {
  const client = await openClient(address, connectTimeoutMs);
  try {
    return await inTime(ask(client), commandTimeoutMs);
  } finally {
    destroy(client);
  }
}
