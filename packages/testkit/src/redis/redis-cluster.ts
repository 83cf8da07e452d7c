import { freePort, RedisServer } from './redis-server.js';

const SLOTS = 16_384;
const SETTLE_MS = 30_000;
const LOOK_MS = 20;
/** A server is given up by the others after so long, in milliseconds. */
const NODE_TIMEOUT_MS = '1000';
const OPTIONS = [
  '--cluster-enabled',
  'yes',
  '--cluster-node-timeout',
  NODE_TIMEOUT_MS,
  // What one server had is unavailable while it is gone, and nothing else.
  '--cluster-require-full-coverage',
  'no',
  '--cluster-config-file',
  'nodes.conf',
  '--save',
  '',
];

/** A Redis Cluster of its own on loopback: primaries that share all slots, and as many replicas as asked for. */
export class RedisCluster {
  readonly #primaries: RedisServer[];
  /** Each follows the primary of the same index. */
  readonly #replicas: RedisServer[];

  /** Where the first one talks to the others. */
  readonly #bus: number;

  private constructor(servers: readonly RedisServer[], size: number, bus: number) {
    this.#primaries = servers.slice(0, size);
    this.#replicas = servers.slice(size);
    this.#bus = bus;
  }

  /** Resolves when every node says that all is well. `options`: of each redis-server. */
  static async start(size: number, replicas = 0, options: readonly string[] = ['--appendonly', 'no']): Promise<RedisCluster> {
    const all: RedisServer[] = [];
    const buses: number[] = [];
    try {
      for (let node = 0; node < size + replicas; node++) {
        // By default it is 10,000 above the other port, which may be too high.
        const bus = await freePort();
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

  /** Each as `host:port`. */
  get nodes(): readonly string[] {
    return this.servers.map(({ port }) => `127.0.0.1:${port}`);
  }

  /** Its primary now, by the words of a node that is there. */
  primaryOf(slot: number, asked = this.primaries[0]): RedisServer | undefined {
    const line = (asked?.command('CLUSTER', 'NODES') ?? '').split('\n').find((each) => {
      const ranges = each.split(' ').slice(8);
      return ranges.some((range) => {
        const [from = '', through = from] = range.split('-');
        return Number(from) <= slot && slot <= Number(through);
      });
    });
    return this.servers.find(({ port }) => line?.includes(`:${port}@`));
  }

  /** Moves a slot with all its keys. */
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

  /** Its replica takes its place, although it is there: what it acknowledged last may be gone. Resolves when it follows the new one. */
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

  /** Until a node says so. Other servers have no event to wait for. */
  async until(server: RedisServer, what: readonly string[], told: string): Promise<void> {
    for (const end = performance.now() + SETTLE_MS; ; ) {
      const info = server.command(...what);
      if (info.includes(told)) return;
      if (performance.now() > end) throw new Error(`the cluster does not settle:\n${info}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
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
    // One that never had anything can take nobody's place.
    for (const server of this.replicas) await this.until(server, ['INFO', 'replication'], 'master_link_status:up');
  }
}

function idOf(server: RedisServer): string {
  return server.command('CLUSTER', 'MYID');
}
