import { onTestFinished } from 'vitest';
import { startTestEngine, type TestEngine, type TestEngineOptions } from '../engines/engine.js';
import { ChaosProxy } from '../links/chaos-proxy.js';
import { RawWorker } from '../peers/raw-worker.js';
import { StreamSocket } from '../peers/stream-socket.js';
import { Random } from '../random.js';
import { RedisServer } from '../redis/redis-server.js';

/** A question to `GET /api/why`. */
export interface WhyQuestion {
  readonly session: string;
  readonly stream: string;
  readonly group: string;
  readonly item?: string;
  readonly offset?: number;
}

/** An engine in which a client did not get a change, and the answer that must come. */
export interface Seeded {
  readonly engine: TestEngine;
  readonly question: WhyQuestion;
  /** The worker of the engine, for further writes. */
  readonly worker: RawWorker;
  readonly client: StreamSocket;
}

export interface SeededCause {
  /** The name of the cause in words. */
  readonly name: string;
  /** The `cause` of the answer. */
  readonly cause: string;
  /** The members that the detail of the answer must have. */
  readonly detail: Readonly<Record<string, unknown>>;
  /**
   * Makes the engine lose what it remembers of the cause, if its rings have one entry each (`SMALL_RINGS`), and the fact that it then
   * misses. Absent where the engine reads the cause from its state.
   */
  readonly lose?: { readonly missing: string; readonly run: (seeded: Seeded) => Promise<unknown> };
  /** Starts an engine with an admin listener, and makes the cause. Everything ends with the test. */
  readonly seed: (options?: Pick<TestEngineOptions, 'why' | 'admin'>) => Promise<Seeded>;
}

const STREAM = 'chat';
const GROUP = 'lobby';
const PLACE = { stream: STREAM, group: GROUP };
const ROOM = { stream_name: STREAM, group_id: GROUP };
/** Options of an engine that remembers one entry of each kind. */
export const SMALL_RINGS = { why: { entries: 1 } } as const;
/** Milliseconds by which the clock of the engine jumps, so that a token expires. */
const JUMP_MS = 600_000;

/** Ten causes that answers of `GET /api/why` name, each with an engine of its own. */
export const SEEDED_CAUSES: readonly SeededCause[] = [
  {
    name: 'wrong group name',
    cause: 'not_joined',
    detail: { near: [GROUP], joins: [PLACE] },
    seed: async (options) => {
      const world = await joined(options);
      await set(world, 'm1');
      return { ...world, question: { session: await sessionOf(world.engine), stream: STREAM, group: 'loby' } };
    },
  },
  {
    name: 'refused join',
    cause: 'join_refused',
    detail: { by: 'function', function: 'app::may-join', reason: 'unauthorized' },
    lose: {
      missing: 'refused_joins',
      run: async ({ client }) => {
        client.join('s2', STREAM, 'other');
        await client.take('unauthorized', ({ groupId }) => groupId === 'other');
      },
    },
    seed: async (options) => {
      const world = await connected(options);
      await world.worker.serve('app::may-join', () => ({ unauthorized: true }));
      await world.worker.bind('stream:join', 'app::may-join', { stream_name: STREAM });
      world.client.join('s1', STREAM, GROUP);
      await world.client.take('unauthorized');
      await set(world, 'm1');
      return { ...world, question: { session: await sessionOf(world.engine), ...PLACE, item: 'm1' } };
    },
  },
  {
    name: 'item filter',
    cause: 'filtered',
    detail: { items: ['m1'] },
    seed: async (options) => {
      const world = await connected(options);
      world.client.join('s1', STREAM, GROUP, 'm1');
      await world.client.take('sync');
      await set(world, 'm2');
      return { ...world, question: { session: await sessionOf(world.engine), ...PLACE, item: 'm2' } };
    },
  },
  {
    name: 'stalled reader',
    cause: 'behind',
    detail: { waits_for: 'reader' },
    seed: async (options) => {
      const world = await joined(options);
      world.client.socket.pause();
      const text = 'x'.repeat(500_000);
      let item = 0;
      // The kernel takes some megabytes for a client that reads nothing.
      while ((await onlySession(world.engine)).lag === 0) await set(world, `m${++item % 4}`, { text });
      return { ...world, question: { session: await sessionOf(world.engine), ...PLACE } };
    },
  },
  {
    name: 'expired token',
    cause: 'session_ended',
    detail: { because: 'token_expired' },
    lose: {
      missing: 'session',
      run: async ({ engine, worker }) => {
        await worker.serve('app::auth', () => ({ identity: 'bob' }));
        const other = await StreamSocket.open(`${engine.streamUrl}/stream/${STREAM}/${GROUP}`);
        await other.take('sync');
        await other.close();
      },
    },
    seed: async (options) => {
      let shift = 0;
      const clock = { now: () => Date.now() + shift, monotonic: () => performance.now() };
      const auth = () => ({ identity: 'ann', expires_at_ms: Date.now() + JUMP_MS / 2 });
      const engine = await startTestEngine({ admin: {}, clock, stream: { authFunction: 'app::auth' }, ...options });
      const worker = await RawWorker.connect(engine.workerUrl);
      await worker.serve('app::auth', auth);
      const client = await StreamSocket.open(`${engine.streamUrl}/stream/${STREAM}/${GROUP}`);
      await client.take('sync');
      const session = await sessionOf(engine);
      shift = JUMP_MS;
      await client.closed;
      await set({ worker }, 'm1');
      return { engine, worker, client, question: { session, ...PLACE, item: 'm1' } };
    },
  },
  {
    name: 'time to live over',
    cause: 'deleted_by_ttl',
    detail: {},
    lose: {
      missing: 'cause_of_delete',
      run: async ({ worker }) => {
        await set({ worker }, 'm2');
        await worker.result('stream::delete', { ...ROOM, item_id: 'm2' });
      },
    },
    seed: async (options) => {
      const world = await joined(options);
      await world.worker.result('stream::set', { ...ROOM, item_id: 'm1', data: { id: 'm1' }, ttl_ms: 1_000 });
      await world.client.take('delete');
      return { ...world, question: { session: await sessionOf(world.engine), ...PLACE, item: 'm1' } };
    },
  },
  {
    name: 'write conflict',
    cause: 'refused_by_condition',
    detail: { code: 'CONFLICT' },
    lose: { missing: 'refused_writes', run: ({ worker }) => refuse({ worker }, 'm5') },
    seed: async (options) => {
      const world = await joined(options);
      await set(world, 'm1');
      await world.worker.result('stream::set', { ...ROOM, item_id: 'm1', data: { text: 'late' }, if_absent: true });
      return { ...world, question: { session: await sessionOf(world.engine), ...PLACE, item: 'm1' } };
    },
  },
  {
    name: 'refused batch',
    cause: 'refused_with_batch',
    detail: { failed_item: 'm1' },
    lose: { missing: 'refused_writes', run: ({ worker }) => refuse({ worker }, 'm5') },
    seed: async (options) => {
      const world = await joined(options);
      await set(world, 'm1');
      const writes = [
        { type: 'set', item_id: 'm2', data: { text: 'new' } },
        { type: 'set', item_id: 'm1', data: { text: 'late' }, if_absent: true },
      ];
      await world.worker.result('stream::batch', { ...ROOM, writes });
      return { ...world, question: { session: await sessionOf(world.engine), ...PLACE, item: 'm2' } };
    },
  },
  {
    name: 'engine cut off from Redis',
    cause: 'store_unavailable',
    detail: {},
    seed: async (options) => {
      const server = await RedisServer.start();
      onTestFinished(() => server.dispose());
      const line = await ChaosProxy.to({ host: '127.0.0.1', port: server.port }, new Random(1), () => {});
      onTestFinished(() => line.close());
      const url = `redis://127.0.0.1:${line.port}`;
      const adapter = { kind: 'redis', url, keyPrefix: 'why', commandTimeoutMs: 1_000, connectTimeoutMs: 2_000 } as const;
      const engine = await startTestEngine({ admin: {}, stream: { adapter }, ...options });
      const worker = await RawWorker.connect(engine.workerUrl);
      const client = await StreamSocket.open(`${engine.streamUrl}/`);
      client.joinWithPositions('s1', STREAM, GROUP);
      await client.take('sync');
      const session = await sessionOf(engine);
      line.blackhole('down');
      line.blackhole('up');
      await client.takeControl('stale');
      return { engine, worker, client, question: { session, ...PLACE, item: 'm1' } };
    },
  },
  {
    name: 'never written',
    cause: 'never_written',
    detail: {},
    lose: {
      missing: 'refused_writes',
      run: async ({ worker }) => {
        await refuse({ worker }, 'm5');
        await refuse({ worker }, 'm6');
      },
    },
    seed: async (options) => {
      const world = await joined(options);
      await set(world, 'm1');
      return { ...world, question: { session: await sessionOf(world.engine), ...PLACE, item: 'm9' } };
    },
  },
];

type World = Omit<Seeded, 'question'>;

/** Starts an engine with one client that has joined nothing. */
async function connected(options: Parameters<SeededCause['seed']>[0]): Promise<World> {
  const engine = await startTestEngine({ admin: {}, ...options });
  const worker = await RawWorker.connect(engine.workerUrl);
  const client = await StreamSocket.open(`${engine.streamUrl}/`);
  return { engine, worker, client };
}

/** Starts an engine with one client that has joined the group. */
async function joined(options: Parameters<SeededCause['seed']>[0]): Promise<World> {
  const world = await connected(options);
  world.client.join('s1', STREAM, GROUP);
  await world.client.take('sync');
  return world;
}

async function set({ worker }: Pick<World, 'worker'>, item: string, data: unknown = { id: item }): Promise<void> {
  await worker.result('stream::set', { ...ROOM, item_id: item, data });
}

/** Makes a write of an item that its condition refuses. */
async function refuse({ worker }: Pick<World, 'worker'>, item: string): Promise<void> {
  await set({ worker }, item);
  await worker.result('stream::set', { ...ROOM, item_id: item, data: {}, if_absent: true });
}

/** Returns the id of the only stream client. */
export async function sessionOf(engine: Pick<TestEngine, 'adminUrl'>): Promise<string> {
  return (await onlySession(engine)).session_id;
}

interface SessionRow {
  readonly session_id: string;
  readonly lag: number;
}

async function onlySession({ adminUrl }: Pick<TestEngine, 'adminUrl'>): Promise<SessionRow> {
  const response = await fetch(`${adminUrl}/api/sessions`);
  const { rows } = (await response.json()) as { readonly rows: readonly SessionRow[] };
  const [row] = rows;
  if (row === undefined || rows.length > 1) throw new Error(`the engine has ${rows.length} stream clients, and not one`);
  return row;
}

/** Returns the answer of `GET /api/why`. */
export async function askWhy({ adminUrl }: Pick<TestEngine, 'adminUrl'>, question: WhyQuestion): Promise<WhyReply> {
  const query = Object.entries(question).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  const response = await fetch(`${adminUrl}/api/why?${query.join('&')}`);
  return (await response.json()) as WhyReply;
}

export interface WhyReply {
  readonly cause: string;
  readonly at?: number;
  readonly offset?: number;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly text: string;
}
