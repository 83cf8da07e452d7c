import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { connect } from '@rivulet/client';
import { loadConfig, startEngine } from '@rivulet/engine';
import { registerWorker, stream } from '@rivulet/sdk';
import { startTestEngine } from '@rivulet/sdk/testing';
import { durableConfig, freePorts, jwtConfig, memoryConfig, redisConfig, runCommand, SmokeEngine } from './engine.mjs';
import { TOKEN, until } from './peers.mjs';

/** @import { SmokeRequest } from './main.mjs' */
/** @import { Peers } from './peers.mjs' */

/** @typedef {{ request: SmokeRequest, engine: SmokeEngine, peers: Peers, folder: string, others: SmokeEngine[] }} Context */

/**
 * A check of a smoke run. Without `side` both runs carry it out: with the engine on the measured runtime, and with the peers on it.
 *
 * @typedef {{ name: string, side?: 'engine' | 'peers', run: (context: Context) => Promise<void> }} Check
 */

/** Chunks that go through a channel: 16 MiB. */
const CHUNKS = 256;

/** @type {readonly Check[]} */
export const CHECKS = [
  {
    name: 'calls',
    run: async ({ peers: { caller } }) => {
      const call = (/** @type {string} */ id, /** @type {object} */ payload) => caller.trigger({ function_id: id, payload });
      assert.deepEqual(await call('smoke::echo', { text: 'ümlaut ☃' }), { text: 'ümlaut ☃' });
      await assert.rejects(call('smoke::fail', {}), { code: 'NOT_OWNER' });
      await assert.rejects(call('smoke::nobody', {}), { code: 'function_not_found' });
    },
  },
  {
    name: 'items',
    run: async ({ peers: { streams, caller } }) => {
      assert.deepEqual(await streams.set('items', 'g', 'a', { n: 1 }), { old_value: null, new_value: { n: 1 } });
      await streams.set('items', 'g', 'b', { n: 2 });
      await streams.update('items', 'g', 'a', [{ type: 'increment', path: 'n', by: 5 }]);
      assert.deepEqual(await streams.list('items', 'g'), [{ n: 6 }, { n: 2 }]);
      await streams.delete('items', 'g', 'a');
      assert.deepEqual(await streams.list('items', 'g'), [{ n: 2 }]);
      await caller.trigger({ function_id: 'state::set', payload: { scope: 's', key: 'k', value: { n: 1 } } });
      assert.deepEqual(await caller.trigger({ function_id: 'state::get', payload: { scope: 's', key: 'k' } }), { n: 1 });
    },
  },
  {
    name: 'watch',
    run: async ({ peers: { streams, client } }) => {
      await streams.set('watch', 'g', 'old', { n: 0 });
      /** @type {string[]} */
      const changes = [];
      const view = client.subscribeGroup('watch', 'g', { onChange: ({ type, id }) => changes.push(`${type} ${id}`) });
      await view.whenLive();
      assert.deepEqual(
        view.items.map(({ id }) => id),
        ['old'],
      );
      for (let n = 0; n < 50; n++) await streams.set('watch', 'g', `i${n}`, { n });
      await streams.delete('watch', 'g', 'old');
      await until(() => changes.length === 51);
      assert.deepEqual(changes, [...Array.from({ length: 50 }, (_, n) => `create i${n}`), 'delete old']);
      view.close();
    },
  },
  {
    name: 'own WebSocket',
    side: 'peers',
    run: async ({ engine, peers: { streams } }) => {
      assert.equal(typeof globalThis.WebSocket, 'function', 'this runtime has no WebSocket of its own');
      await streams.set('own', 'g', 'a', { n: 1 });
      const client = connect(engine.streamUrl, { WebSocket: globalThis.WebSocket, token: TOKEN });
      const view = client.subscribeGroup('own', 'g');
      await view.whenLive();
      await streams.set('own', 'g', 'b', { n: 2 });
      await until(() => view.size === 2);
      await client.close();
    },
  },
  {
    name: 'auth function',
    run: async ({ engine }) => {
      const client = connect(engine.streamUrl, { WebSocket: (await import('ws')).WebSocket, token: 'wrong' });
      /** @type {string[]} */
      const codes = [];
      client.onError((error) => codes.push(error.code));
      client.subscribeGroup('watch', 'g');
      await until(() => codes.length > 0);
      assert.deepEqual(codes, ['UNAUTHORIZED']);
      await client.close();
    },
  },
  {
    name: 'calls of pages',
    run: async ({ peers }) => {
      const options = { idempotencyKey: 'k1' };
      assert.deepEqual(await peers.client.call('smoke::count', { text: 'a' }, options), { count: 1 });
      assert.deepEqual(await peers.client.call('smoke::count', { text: 'a' }, options), { count: 1 });
      assert.deepEqual(peers.counted, ['a']);
      await assert.rejects(peers.client.call('stream::list_all', {}), { code: 'FORBIDDEN' });
    },
  },
  {
    name: 'HTTP routes',
    run: async ({ engine }) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${engine.httpUrl}/json/ann`, { method: 'POST', headers, body: '{"n":1}' });
      assert.deepEqual([answer.status, await answer.json()], [201, { name: 'ann', body: { n: 1 } }]);
      const flow = await fetch(`${engine.httpUrl}/flow`);
      assert.equal((await flow.text()).split('\n').length, 101);
      assert.equal((await fetch(`${engine.httpUrl}/nothing`)).status, 404);
    },
  },
  {
    name: 'channels',
    run: async ({ peers: { caller } }) => {
      const channel = await caller.createChannel();
      const reading = caller.trigger({ function_id: 'smoke::read', payload: { reader: channel.readerRef } });
      const chunk = Buffer.alloc(65_536, 7);
      // The engine collects its garbage after each few MiB, by means of the runtime.
      for (let n = 0; n < CHUNKS; n++)
        if (!channel.writer.stream.write(chunk)) await new Promise((resolve) => channel.writer.stream.once('drain', resolve));
      channel.writer.close();
      assert.deepEqual(await reading, { bytes: CHUNKS * 65_536 });
    },
  },
  {
    name: 'plain HTTP',
    side: 'engine',
    run: async ({ engine, peers: { streams } }) => {
      await streams.set('plain', 'g', 'a', { n: 1 });
      const url = `${engine.streamUrl.replace('ws:', 'http:')}/stream/plain/g`;
      assert.equal((await fetch(url)).status, 401);
      const headers = { authorization: `Bearer ${TOKEN}` };
      const { items, position } = /** @type {any} */ (await (await fetch(url, { headers })).json());
      assert.deepEqual(items, [{ id: 'a', data: { n: 1 } }]);
      const poll = fetch(`${url}?since=${encodeURIComponent(position)}&wait=30`, { headers });
      const events = await fetch(url, { headers: { ...headers, accept: 'text/event-stream' } });
      const reader = /** @type {ReadableStream<Uint8Array>} */ (events.body).getReader();
      let text = '';
      const readUntil = async (/** @type {string} */ wanted) => {
        while (!text.includes(wanted)) text += new TextDecoder().decode((await reader.read()).value);
      };
      await readUntil('"n":1');
      await streams.set('plain', 'g', 'b', { n: 2 });
      await readUntil('"n":2');
      await reader.cancel();
      const { changes } = /** @type {any} */ (await (await poll).json());
      assert.equal(changes.length, 1);
    },
  },
  {
    name: 'admin and metrics',
    side: 'engine',
    run: async ({ engine }) => {
      assert.equal((await fetch(`${engine.adminUrl}/ready`)).status, 200);
      const metrics = await (await fetch(`${engine.adminUrl}/metrics`)).text();
      for (const name of ['process_resident_memory_bytes', 'rivulet_event_loop_delay_seconds', 'nodejs_heap_size_used_bytes'])
        assert.ok(metrics.includes(name), `the metric ${name} is missing`);
      const sessions = await engine.run(['sessions', '--json'], { RIVULET_ADMIN_URL: engine.adminUrl });
      assert.equal(sessions.code, 0, sessions.stderr);
    },
  },
  {
    name: 'kill and restart',
    run: async ({ engine, peers }) => {
      const write = () => peers.streams.set('kept', 'g', 'once', { n: 1 }, { idempotencyKey: 'w1' });
      await write();
      /** @type {string[]} */
      const seen = [];
      const view = peers.client.subscribeGroup('kept', 'g', {
        onChange: ({ type, id }) => seen.push(`${type} ${id}`),
        onReset: ({ reason }) => seen.push(`reset ${reason}`),
      });
      await view.whenLive();
      await engine.end('SIGKILL');
      await until(() => view.status !== 'live' && peers.caller.connectionState.kind !== 'open');
      const waiting = peers.streams.set('kept', 'g', 'later', { n: 2 });
      await engine.start();
      await waiting;
      await until(() => view.size === 2);
      assert.deepEqual(await write(), { old_value: null, new_value: { n: 1 }, replayed: true });
      await peers.streams.set('kept', 'g', 'last', { n: 3 });
      await until(() => view.size === 3);
      assert.deepEqual(seen, ['reset first', 'create later', 'create last']);
      await peers.ready();
      assert.deepEqual(await peers.client.call('smoke::count', { text: 'a' }, { idempotencyKey: 'k1' }), { count: 1 });
      view.close();
    },
  },
  {
    name: 'one engine for a directory',
    side: 'engine',
    run: async ({ engine }) => {
      writeFileSync(join(engine.folder, 'second.yaml'), durableConfig(await freePorts()));
      const second = await engine.run(['start', '--config', 'second.yaml'], { RIVULET_LOG_FORMAT: 'text' });
      assert.equal(second.code, 1);
      assert.match(second.stderr, /start_failed code=STORE_UNAVAILABLE .*is in use by process/);
    },
  },
  {
    name: 'backup and restore',
    side: 'engine',
    run: async ({ engine, peers: { streams }, folder }) => {
      await streams.set('backup', 'g', 'a', { n: 1 });
      const backup = await engine.run(['backup', 'backup']);
      assert.deepEqual([backup.code, /from the running engine/.test(backup.stdout)], [0, true], backup.stderr);
      const restored = new SmokeEngine(engine.command, join(folder, 'restored'), engine.ports, 'workers: []\n');
      copyFileSync(join(engine.folder, 'config.yaml'), join(restored.folder, 'config.yaml'));
      const restore = await restored.run(['restore', join(engine.folder, 'backup')]);
      assert.equal(restore.code, 0, restore.stderr);
      const check = await restored.run(['check', '.']);
      assert.deepEqual([check.code, /streams: sound/.test(check.stdout)], [0, true], check.stdout + check.stderr);
      const exported = await restored.run(['export', 'items.jsonl']);
      assert.equal(exported.code, 0, exported.stderr);
    },
  },
  {
    name: 'JWT',
    side: 'engine',
    run: async ({ engine, folder, others }) => {
      const secret = 'a-long-text-that-only-the-two-servers-know';
      const ports = await freePorts();
      const guarded = new SmokeEngine(engine.command, join(folder, 'jwt'), ports, jwtConfig(ports, secret));
      others.push(guarded);
      await guarded.start();
      const token = await guarded.run(['token', '--sub', 'ann', '--config', 'config.yaml']);
      assert.equal(token.code, 0, token.stderr);
      const read = async (/** @type {string} */ group, /** @type {string} */ bearer) =>
        (await fetch(`http://127.0.0.1:${ports.stream}/stream/chat/${group}`, { headers: { authorization: `Bearer ${bearer}` } })).status;
      assert.deepEqual(
        [await read('ann', token.stdout.trim()), await read('bob', token.stdout.trim()), await read('ann', 'x.y.z')],
        [200, 403, 401],
      );
      assert.equal(await guarded.end('SIGTERM'), 0);
    },
  },
  {
    name: 'Redis',
    side: 'engine',
    run: async ({ request, engine, folder, others }) => {
      if (request.redisUrl === undefined) throw new Error('no redis-server on this machine');
      const prefix = `smoke-${process.pid}`;
      const [a, b] = await Promise.all(
        ['a', 'b'].map(async (name) => {
          const ports = await freePorts();
          const each = new SmokeEngine(engine.command, join(folder, name), ports, redisConfig(ports, request.redisUrl ?? '', prefix));
          others.push(each);
          await each.start();
          return each;
        }),
      );
      if (a === undefined || b === undefined) throw new Error('unreachable');
      const workers = [a, b].map(({ workerUrl }) => registerWorker(workerUrl));
      const [ofA, ofB] = workers.map((worker) => stream(worker));
      const client = connect(b.streamUrl, { WebSocket: (await import('ws')).WebSocket });
      /** @type {string[]} */
      const changes = [];
      const view = client.subscribeGroup('chat', 'g', { onChange: ({ id }) => changes.push(id) });
      await view.whenLive();
      const ids = Array.from({ length: 20 }, (_, n) => `i${n}`);
      for (const [n, id] of ids.entries()) await (n % 2 === 0 ? ofA : ofB)?.set('chat', 'g', id, { n });
      await until(() => changes.length === ids.length);
      assert.deepEqual(changes, ids);
      await client.close();
      await Promise.all(workers.map((worker) => worker.shutdown()));
      assert.deepEqual(await Promise.all([a.end('SIGTERM'), b.end('SIGTERM')]), [0, 0]);
    },
  },
  {
    name: 'import and require',
    side: 'peers',
    run: async () => {
      const require = createRequire(import.meta.url);
      for (const name of ['@rivulet/protocol', '@rivulet/client', '@rivulet/client/optimistic', '@rivulet/sdk', '@rivulet/sdk/stream']) {
        const keys = (/** @type {object} */ all) =>
          Object.keys(all).filter((key) => !['__esModule', 'default', 'module.exports'].includes(key));
        assert.deepEqual(keys(require(name)).toSorted(), keys(await import(name)).toSorted(), name);
      }
    },
  },
  {
    name: 'engine inside a program',
    side: 'peers',
    run: async ({ request, engine, folder }) => {
      const ports = await freePorts();
      const text = memoryConfig(ports);
      const config = loadConfig({ text, cwd: folder, env: {}, lenient: false });
      const embedded = await startEngine(config);
      // This rule needs most of the sockets of the engine: a client that does not read must get everything later.
      const addresses = ['--worker', `ws://127.0.0.1:${ports.worker}`, '--stream', `ws://127.0.0.1:${ports.stream}`];
      const command = { program: engine.command.program, cli: request.conformance };
      const { code, stdout, stderr } = await runCommand(command, [...addresses, '--only', 'ST-20', '--timeout', '60000'], folder);
      await embedded.stop();
      assert.equal(code, 0, stdout + stderr);
    },
  },
  {
    name: 'test kit',
    side: 'peers',
    run: async () => {
      const rivulet = await startTestEngine();
      const worker = registerWorker(rivulet.workerUrl);
      await stream(worker).set('kit', 'g', 'a', { n: 1 }, { ttlMs: 3_600_000 });
      await rivulet.advance(3_599_999);
      assert.deepEqual(await stream(worker).list('kit', 'g'), [{ n: 1 }]);
      await rivulet.advance(1);
      assert.deepEqual(await stream(worker).list('kit', 'g'), []);
      await worker.shutdown();
      await rivulet.stop();
    },
  },
  {
    name: 'stop',
    side: 'engine',
    run: async ({ engine, peers }) => {
      assert.equal(await engine.end('SIGTERM'), 0, engine.log);
      assert.match(engine.log, / stopped\n$/);
      assert.doesNotMatch(engine.log, /uncaught_exception|unhandled_rejection|node_warning/);
      await until(() => peers.caller.connectionState.kind !== 'open');
    },
  },
];
