import { join } from 'node:path';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { expect, onTestFinished, test } from 'vitest';
import { ask, readiness } from '../harness/admin-client.js';
import { ONE_FILE_THREAD, underStrace } from '../harness/disk-faults.js';
import { cannotMount, SmallDisk } from '../harness/small-disk.js';

const PATIENT_MS = 240_000;
const group = { stream_name: 's', group_id: 'g' };

test(
  'F12 S36 /ready is red at the signal, while clients are still connected, and the listener outlives them',
  async () => {
    const engine = await EngineProcess.start({ admin: [], stream: ['drain_delay_ms: 3000'] });
    const client = await StreamSocket.open(`${engine.streamUrl}/`);
    let isConnected = true;
    const closed = client.closed.then(() => {
      isConnected = false;
    });
    expect(await readiness(engine.adminUrl, 200)).toEqual({ status: 'ready', reasons: [] });
    const stopped = engine.stop();
    const { reasons } = await readiness(engine.adminUrl, 503);
    expect({ reasons: reasons.map(({ code }) => code), isConnected }).toEqual({ reasons: ['draining'], isConnected: true });
    expect((await ask(engine.adminUrl, '/health')).status).toBe(200);
    const keeps = { connection: 'keep-alive' };
    const refused = await ask(engine.adminUrl, '/api/call/engine::health::check', { method: 'POST', json: null, headers: keeps });
    const { connection } = refused.headers;
    expect([refused.status, connection, refused.text]).toEqual([503, 'close', expect.stringContaining('ENGINE_STOPPING')]);
    await closed;
    expect(await stopped).toBe(0);
    await expect(ask(engine.adminUrl, '/health')).rejects.toThrow('ECONNREFUSED');
  },
  PATIENT_MS,
);

test.skipIf(cannotMount() !== undefined)(
  'S36 /ready is red while the disk of a store is full, without any write, and green again by itself',
  async () => {
    const disk = SmallDisk.mount('tmpfs', 12);
    const space = 'min_free_bytes: 1048576, min_free_percent: 2, ballast_bytes: 0';
    const adapter = `{ name: kv, config: { store_method: file_based, file_path: ${join(disk.path, 'streams')}, ${space} } }`;
    const engine = await EngineProcess.start({ adapter, admin: [] });
    await readiness(engine.adminUrl, 200);
    disk.fill();
    expect((await readiness(engine.adminUrl, 503)).reasons).toEqual([expect.objectContaining({ code: 'store_full', store: 'stream' })]);
    const { text } = await ask(engine.adminUrl, '/metrics');
    expect(text).toContain('rivulet_store_state{store="stream",state="full"} 1');
    expect(text).toContain('rivulet_ready 0');
    disk.clear();
    expect((await readiness(engine.adminUrl, 200)).reasons).toEqual([]);
  },
  PATIENT_MS,
);

test(
  'S36 /ready is red when a write to the disk has failed',
  async () => {
    const engine = await EngineProcess.start({ admin: [], wrapper: underStrace('fdatasync', 'error=EIO:when=14+'), env: ONE_FILE_THREAD });
    const worker = await RawWorker.connect(engine.workerUrl);
    await readiness(engine.adminUrl, 200);
    for (let code: unknown, n = 0; code === undefined; n++)
      code = await worker.errorCode('stream::set', { ...group, item_id: 'm', data: { n } });
    const { status, text } = await ask(engine.adminUrl, '/ready');
    expect([status, text]).toEqual([503, expect.stringContaining('"store_failed"')]);
    expect((await ask(engine.adminUrl, '/health')).status).toBe(200);
  },
  PATIENT_MS,
);

test(
  'S36 /ready is red while the Redis is lost, silent or full, and green again by itself',
  async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.dispose());
    const adapter = `{ name: redis, config: { redis_url: ${redis.url} } }`;
    const engine = await EngineProcess.start({ adapter, admin: [] });
    await readiness(engine.adminUrl, 200);

    // The server ends.
    await redis.kill();
    expect((await readiness(engine.adminUrl, 503)).reasons).toEqual([expect.objectContaining({ code: 'redis_lost', store: 'stream' })]);
    expect((await ask(engine.adminUrl, '/metrics')).text).toContain('rivulet_redis_connected{store="stream"} 0');
    await redis.start();
    await readiness(engine.adminUrl, 200);

    // The server keeps its connections and says nothing: only the canary shows it.
    redis.pause();
    await readiness(engine.adminUrl, 503);
    redis.resume();
    await readiness(engine.adminUrl, 200);

    // The server takes no writes.
    redis.command('CONFIG', 'SET', 'maxmemory', '1');
    expect((await readiness(engine.adminUrl, 503)).reasons).toEqual([expect.objectContaining({ code: 'store_full', store: 'stream' })]);
    redis.command('CONFIG', 'SET', 'maxmemory', '0');
    await readiness(engine.adminUrl, 200);
    expect((await ask(engine.adminUrl, '/metrics')).text).toMatch(/^rivulet_redis_lost_total\{store="stream"\} [1-9]/m);
  },
  PATIENT_MS,
);
