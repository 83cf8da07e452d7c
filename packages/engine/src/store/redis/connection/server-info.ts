import type { Client } from './redis-client.js';

/** What a server says of itself. */
export interface ServerFacts {
  /** Names the run of the server: another one may have lost something. */
  readonly run: string;
  /** Whether what it acknowledged survives its end. */
  readonly durable: boolean;
}

/** Of a server that never took the place of another. */
const NEVER_PROMOTED = /master_replid2:0{40}\b/;

/**
 * Rejects when it can't be used: a replica, one that throws items away, or one of a Cluster where none is expected. `alone`: no other server
 * can take its place.
 */
export async function askServer(client: Client, clustered: boolean, alone: boolean): Promise<ServerFacts> {
  const role = JSON.stringify(await client.sendCommand(['ROLE']));
  if (!role.includes('"master"'))
    throw new Error('it is a replica; give the address of the primary, or sentinels or a cluster that know it');
  const [server, replication, cluster] = await Promise.all(['server', 'replication', 'cluster'].map((section) => infoOf(client, section)));
  const run = /run_id:(\w+)/.exec(server ?? '')?.[1];
  const history = /master_replid:(\w+)/.exec(replication ?? '')?.[1];
  if (run === undefined || history === undefined)
    throw new Error('INFO does not tell run_id and master_replid; it may be no Redis, or hide them');
  if (cluster?.includes('cluster_enabled:1') !== clustered)
    throw new Error(clustered ? 'it is no Redis Cluster; leave mode: cluster out' : 'it is a node of a Redis Cluster; use mode: cluster');
  const settings = await settingsOf(client);
  requireKeeping(settings);
  const written = settings.get('appendonly') === 'yes' && settings.get('appendfsync') === 'always';
  // What another server acknowledged before this one took its place may not have come here.
  return { run: `${run}.${history}`, durable: written && alone && NEVER_PROMOTED.test(replication ?? '') };
}

async function infoOf(client: Client, section: string): Promise<string> {
  return JSON.stringify(await client.sendCommand(['INFO', section]));
}

/** Of some servers nobody may ask for them: then the worst is believed of what it keeps, and the best of what it throws away. */
async function settingsOf(client: Client): Promise<ReadonlyMap<string, string>> {
  const settings = new Map<string, string>();
  for (const pattern of ['append*', 'maxmemory*']) {
    const reply = await client.sendCommand(['CONFIG', 'GET', pattern]).catch(() => ({}));
    for (const [, name = '', value = ''] of JSON.stringify(reply).matchAll(/"([\w-]+)"[,:]"([^"]*)"/g)) settings.set(name, value);
  }
  return settings;
}

/** An item that goes without a word is a write that was lost. */
function requireKeeping(settings: ReadonlyMap<string, string>): void {
  const policy = settings.get('maxmemory-policy') ?? 'noeviction';
  if ((settings.get('maxmemory') ?? '0') === '0' || policy === 'noeviction') return;
  throw new Error(`its maxmemory-policy is ${policy}, which throws items away; set it to noeviction`);
}
