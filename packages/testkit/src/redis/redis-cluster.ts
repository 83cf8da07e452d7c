import { RedisServer, redisPort } from './redis-server.js';

const SLOTS = 16_384;
const SETTLE_MS = 120_000;
const POLL_MS = 20;
/** Milliseconds without an answer after which the other nodes treat a node as failed. */
const NODE_TIMEOUT_MS = '1000';
const OPTIONS = [
  '--cluster-enabled',
  'yes',
  '--cluster-node-timeout',
  NODE_TIMEOUT_MS,
  // While one primary is down, only its slots are unavailable.
  '--cluster-require-full-coverage',
  'no',
  // A replica takes the place of its primary also when a busy machine has kept them apart for long.
  '--cluster-replica-validity-factor',
  '0',
  '--cluster-config-file',
  'nodes.conf',
  '--save',
  '',
];

/** A Redis Cluster of its own on loopback. Its primaries share all slots, and it may have replicas. */
export class RedisCluster {
  readonly #primaries: RedisServer[];
  /** Replicas of the primaries. Each follows the primary of the same index. */
  readonly #replicas: RedisServer[];

  /** Port on which the first node talks to the other nodes. */
  readonly #bus: number;

  private constructor(servers: readonly RedisServer[], size: number, bus: number) {
    this.#primaries = servers.slice(0, size);
    this.#replicas = servers.slice(size);
    this.#bus = bus;
  }

  /** Starts the nodes with these options of redis-server. Resolves when every node reports that the cluster works. */
  static async start(size: number, replicas = 0, options: readonly string[] = ['--appendonly', 'no']): Promise<RedisCluster> {
    const all: RedisServer[] = [];
    const buses: number[] = [];
    try {
      for (let node = 0; node < size + replicas; node++) {
        // By default the bus port is 10,000 above the other port, which may be too high for a port.
        const bus = await redisPort();
        buses.push(bus);
        all.push(await RedisServer.start([...OPTIONS, '--cluster-port', String(bus), ...options]));
      }
      const cluster = new RedisCluster(all, size, buses[0] ?? 0);
      await cluster.#form();
      return cluster;
    } catch (error) {
      for (const server of all) await server.dispose();
      throw error;
    }
  }

  get primaries(): readonly RedisServer[] {
    return this.#primaries;
  }

  get replicas(): readonly RedisServer[] {
    return this.#replicas;
  }

  get servers(): readonly RedisServer[] {
    return [...this.primaries, ...this.replicas];
  }

  /** Addresses of all nodes, each as `host:port`. */
  get nodes(): readonly string[] {
    return this.servers.map(({ port }) => `127.0.0.1:${port}`);
  }

  /** Returns the current primary of a slot, as a running node reports it. */
  primaryOf(slot: number, node = this.primaries[0]): RedisServer | undefined {
    const line = (node?.command('CLUSTER', 'NODES') ?? '').split('\n').find((each) => {
      const ranges = each.split(' ').slice(8);
      return ranges.some((range) => {
        const [from = '', through = from] = range.split('-');
        return Number(from) <= slot && slot <= Number(through);
      });
    });
    return this.servers.find(({ port }) => line?.includes(`:${port}@`));
  }

  /** Moves a slot with all its keys to another primary. */
  moveSlot(slot: number, from: RedisServer, to: RedisServer): void {
    const [source, target] = [idOf(from), idOf(to)];
    to.command('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', source);
    from.command('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', target);
    for (;;) {
      const keys = from.command('CLUSTER', 'GETKEYSINSLOT', String(slot), '100').split('\n').filter(Boolean);
      if (keys.length === 0) break;
      from.command('MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys);
    }
    for (const server of [to, from]) server.command('CLUSTER', 'SETSLOT', String(slot), 'NODE', target);
  }

  /**
   * Promotes the replica of a primary that still runs. The last acknowledged writes of the old primary may be lost. Resolves when the old
   * primary follows the new one.
   */
  async failOver(primary: RedisServer): Promise<void> {
    const index = this.#primaries.indexOf(primary);
    const replica = this.#replicas[index];
    if (replica === undefined) throw new Error('it has no replica');
    replica.command('CLUSTER', 'FAILOVER', 'FORCE');
    const replication = ['INFO', 'replication'];
    await this.until(replica, replication, 'role:master');
    await this.until(primary, replication, 'master_link_status:up');
    [this.#primaries[index], this.#replicas[index]] = [replica, primary];
  }

  /**
   * Polls a node until its answer to the command contains `expected`. Rejects when that takes too long. A cluster has no event to await.
   */
  async until(server: RedisServer, what: readonly string[], expected: string): Promise<void> {
    for (const end = performance.now() + SETTLE_MS; ; ) {
      const info = server.command(...what);
      if (info.includes(expected)) return;
      if (performance.now() > end) throw new Error(`the cluster does not settle:\n${info}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async dispose(): Promise<void> {
    for (const server of this.servers) await server.dispose();
  }

  async #form(): Promise<void> {
    const [first] = this.primaries;
    if (first === undefined) throw new Error('a cluster has at least one server');
    const share = SLOTS / this.primaries.length;
    for (const [index, server] of this.primaries.entries()) {
      server.command('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
      server.command('CLUSTER', 'ADDSLOTSRANGE', String(Math.ceil(index * share)), String(Math.ceil((index + 1) * share) - 1));
    }
    for (const server of this.servers.slice(1)) server.command('CLUSTER', 'MEET', '127.0.0.1', String(first.port), String(this.#bus));
    const info = ['CLUSTER', 'INFO'];
    for (const server of this.servers) await this.until(server, info, `cluster_known_nodes:${this.servers.length}`);
    for (const [index, server] of this.replicas.entries()) server.command('CLUSTER', 'REPLICATE', idOf(this.primaries[index] ?? first));
    for (const server of this.servers) await this.until(server, info, 'cluster_state:ok');
    // A replica without data cannot be promoted.
    for (const server of this.replicas) await this.until(server, ['INFO', 'replication'], 'master_link_status:up');
  }
}

function idOf(server: RedisServer): string {
  return server.command('CLUSTER', 'MYID');
}
