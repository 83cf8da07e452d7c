import type { Client } from './redis-client.js';

/** Facts that a server reports about itself. */
export interface ServerFacts {
  /** Names the run of the server and its history. Under another name it may have lost acknowledged writes. */
  readonly run: string;
  /** Whether acknowledged writes survive a crash of the server. */
  readonly durable: boolean;
}

/** Matches a server that never took the place of another one. */
const NEVER_PROMOTED = /master_replid2:0{40}\b/;

/**
 * Reads the facts of a server. Rejects when the store cannot use it: a replica, a server that evicts keys, or the node of a Cluster where
 * `clustered` is false. `alone` means that no other server can take its place.
 */
export async function readServerFacts(client: Client, clustered: boolean, alone: boolean): Promise<ServerFacts> {
  const role = JSON.stringify(await client.sendCommand(['ROLE']));
  if (!role.includes('"master"'))
    throw new Error('it is a replica; give the address of the primary, or sentinels or a cluster that know it');
  const [server, replication, cluster] = await Promise.all(['server', 'replication', 'cluster'].map((section) => infoOf(client, section)));
  const run = /run_id:(\w+)/.exec(server ?? '')?.[1];
  const history = /master_replid:(\w+)/.exec(replication ?? '')?.[1];
  if (run === undefined || history === undefined)
    throw new Error('INFO has no run_id and master_replid; it may not be a Redis, or it hides them');
  if (cluster?.includes('cluster_enabled:1') !== clustered)
    throw new Error(clustered ? 'it is no Redis Cluster; leave mode: cluster out' : 'it is a node of a Redis Cluster; use mode: cluster');
  const settings = await settingsOf(client);
  requireKeeping(settings);
  const written = settings.get('appendonly') === 'yes' && settings.get('appendfsync') === 'always';
  // A promoted server may lack writes that its predecessor acknowledged.
  return { run: `${run}.${history}`, durable: written && alone && NEVER_PROMOTED.test(replication ?? '') };
}

async function infoOf(client: Client, section: string): Promise<string> {
  return JSON.stringify(await client.sendCommand(['INFO', section]));
}

/** Returns the settings of the server. If CONFIG is forbidden, it returns none: assume no durability and no eviction. */
async function settingsOf(client: Client): Promise<ReadonlyMap<string, string>> {
  const settings = new Map<string, string>();
  for (const pattern of ['append*', 'maxmemory*']) {
    const reply = await client.sendCommand(['CONFIG', 'GET', pattern]).catch(() => ({}));
    for (const [, name = '', value = ''] of JSON.stringify(reply).matchAll(/"([\w-]+)"[,:]"([^"]*)"/g)) settings.set(name, value);
  }
  return settings;
}

/** Throws when the server may evict keys: an evicted item is a lost write. */
function requireKeeping(settings: ReadonlyMap<string, string>): void {
  const policy = settings.get('maxmemory-policy') ?? 'noeviction';
  if ((settings.get('maxmemory') ?? '0') === '0' || policy === 'noeviction') return;
  throw new Error(`its maxmemory-policy is ${policy}, which evicts keys; set it to noeviction`);
}
