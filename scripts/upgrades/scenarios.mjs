import assert from 'node:assert/strict';
import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, redisConfig, SmokeEngine } from '../runtimes/smoke/engine.mjs';
import { Peer } from './peer.mjs';

/** @import { Build } from './old-build.mjs' */
/** @import { Ports } from '../runtimes/smoke/engine.mjs' */

/**
 * A roll-out to carry out. `say` gets a line for each step that has passed.
 *
 * @typedef {{ from: Build, to: Build, folder: string, say: (line: string) => void }} Rollout
 */

const ITEMS = 20;
/** The items that `fill` leaves in the room. */
const FILLED = Array.from({ length: ITEMS - 1 }, (_, n) => ({ n: n + 1 }));

/** @param {Build} build */
const commandOf = ({ cli }) => ({ program: process.execPath, cli });

/** @param {readonly string[]} seen */
const changesOf = (seen) => seen.filter((line) => !line.startsWith('reset'));

/**
 * Replaces an engine with a store in a directory by the other version, rolls back, and rolls forward again after a crash. Peers of both
 * versions live through all of it.
 *
 * @param {Rollout} rollout
 */
export async function rollEmbedded({ from, to, folder, say }) {
  const ports = await freePorts();
  const calls = from.hasCalls && to.hasCalls;
  const engine = new SmokeEngine(commandOf(from), folder, ports, embeddedConfig(ports, calls));
  /** @type {Peer[]} */
  const peers = [];
  /** @param {Build} build */
  const restart = async (build) => {
    engine.command = commandOf(build);
    await engine.start();
    await requireKept(peers, calls);
  };
  let changes = 0;
  /** Each peer writes an item. All views see each of them once, and nothing of before is lost or old. */
  const requireWrites = async () => {
    for (const peer of peers) await peer.do('set', 'chat', 'room', `change${++changes}`, { change: changes });
    await requireResumed(peers, changes);
    const written = Array.from({ length: changes }, (_, n) => ({ change: n + 1 }));
    for (const peer of peers) assert.deepEqual(await peer.do('list', 'chat', 'room'), [...FILLED, ...written]);
  };
  try {
    await engine.start();
    const old = await startPeer(peers, from, engine, 'old');
    await fill(old, calls);
    await requireKept(peers, calls);
    const format = formatOf(folder);
    say('the old engine has the data of the old peers');

    assert.equal(await engine.end('SIGTERM'), 0);
    await restart(to);
    await requireWrites();
    say('the new engine continues with items, positions, keys and calls; old peers resume without a snapshot');

    const fresh = await startPeer(peers, to, engine, 'new');
    await fresh.do('watch', 'chat', 'room');
    await requireWrites();
    if (calls)
      assert.deepEqual([await fresh.do('call', 'old::count', 'c2'), await old.do('call', 'new::count', 'c3')], [{ runs: 2 }, { runs: 1 }]);
    say(`old and new peers share the new engine${calls ? ', and call each other' : ''}`);

    await rollBack(engine, folder, format, say);
    await restart(from);
    if (calls) assert.deepEqual(await fresh.do('call', 'old::count', 'c2'), { runs: 2 });
    await requireWrites();
    say('the old engine continues with what the new one has written; new peers resume there without a snapshot');

    await engine.end('SIGKILL');
    await restart(to);
    await requireWrites();
    say('the new engine continues after a kill of the old one');
    assert.equal(await engine.end('SIGTERM'), 0);
    assert.doesNotMatch(engine.log, /uncaught_exception|unhandled_rejection|store_damaged/);
  } finally {
    for (const peer of peers) await peer.close();
    await engine.end('SIGKILL');
  }
}

/** Writes what each restart has to keep, and opens the view of the room. @param {Peer} peer @param {boolean} calls */
async function fill(peer, calls) {
  for (let n = 0; n < ITEMS; n++) await peer.do('set', 'chat', 'room', `i${n}`, { n });
  await peer.do('delete', 'chat', 'room', 'i0');
  await peer.do('setState', 'scope', 'key', { n: 1 });
  await peer.do('set', 'chat', 'other', 'once', { n: 1 }, { idempotencyKey: 'w1' });
  if (calls) await peer.do('call', 'old::count', 'c1');
  await peer.do('watch', 'chat', 'room');
}

/**
 * Requires everything that `fill` has written. A repeated write and a repeated call have the first answers.
 *
 * @param {readonly Peer[]} peers @param {boolean} calls
 */
async function requireKept(peers, calls) {
  for (const peer of peers) await peer.do('ready');
  for (const peer of peers) {
    assert.deepEqual((await peer.do('list', 'chat', 'room')).slice(0, FILLED.length), FILLED);
    assert.deepEqual(await peer.do('getState', 'scope', 'key'), { n: 1 });
    const repeated = await peer.do('set', 'chat', 'other', 'once', { n: 2 }, { idempotencyKey: 'w1' });
    assert.deepEqual(repeated, { old_value: null, new_value: { n: 1 }, replayed: true });
    if (calls) assert.deepEqual(await peer.do('call', 'old::count', 'c1'), { runs: 1 });
  }
}

/**
 * Runs an engine of each version over one Redis, and then replaces the old one.
 *
 * @param {Rollout & { redisUrl: string }} rollout
 */
export async function rollRedis({ from, to, folder, redisUrl, say }) {
  const engines = [];
  for (const [name, build] of /** @type {const} */ ([
    ['a', from],
    ['b', to],
  ])) {
    const ports = await freePorts();
    engines.push(new SmokeEngine(commandOf(build), join(folder, name), ports, redisConfig(ports, redisUrl, 'upgrade')));
  }
  const [a, b] = engines;
  if (a === undefined || b === undefined) throw new Error('unreachable');
  /** @type {Peer[]} */
  const peers = [];
  try {
    await a.start();
    const fresh = await startPeer(peers, to, a, 'new');
    await fresh.do('set', 'chat', 'other', 'once', { n: 1 }, { idempotencyKey: 'w1' });
    await b.start();
    const old = await startPeer(peers, from, b, 'old');
    for (const peer of peers) await peer.do('watch', 'chat', 'room');
    await Promise.all(Array.from({ length: ITEMS }, (_, n) => (n % 2 === 0 ? old : fresh).do('set', 'chat', 'room', `i${n}`, { n })));
    const before = await requireResumed(peers, ITEMS);
    assert.deepEqual(before[0], before[1]);
    const repeated = await old.do('set', 'chat', 'other', 'once', { n: 2 }, { idempotencyKey: 'w1' });
    assert.deepEqual(repeated, { old_value: null, new_value: { n: 1 }, replayed: true });
    say('an old and a new engine serve one group in one order, with peers of the other version');

    assert.equal(await a.end('SIGTERM'), 0);
    await old.do('set', 'chat', 'room', 'alone', {});
    a.command = commandOf(to);
    await a.start();
    await fresh.do('ready');
    await fresh.do('set', 'chat', 'room', 'back', {});
    const after = await requireResumed(peers, ITEMS + 2);
    assert.deepEqual(after[0], after[1]);
    say('the old engine is replaced; its peers resume without a snapshot');

    // The way back: one engine after another, too.
    assert.equal(await b.end('SIGTERM'), 0);
    b.command = commandOf(from);
    await b.start();
    await old.do('ready');
    await old.do('set', 'chat', 'room', 'again', {});
    const last = await requireResumed(peers, ITEMS + 3);
    assert.deepEqual(last[0], last[1]);
    say('a new engine is replaced by an old one');
    for (const { log } of engines) assert.doesNotMatch(log, /uncaught_exception|unhandled_rejection|redis_message_unreadable/);
  } finally {
    for (const peer of peers) await peer.close();
    for (const engine of engines) await engine.end('SIGKILL');
  }
}

/** @param {Peer[]} peers @param {Build} build @param {SmokeEngine} engine @param {string} name */
async function startPeer(peers, build, engine, name) {
  const peer = new Peer(build, engine, name);
  peers.push(peer);
  await peer.do('ready');
  return peer;
}

/**
 * Requires that each view of the room has seen the same last changes, each once and in order, and never a snapshot besides its first one.
 * Returns the changes of each peer. `changes` counts those since the first view was opened; a later view has seen the last of them.
 *
 * @param {readonly Peer[]} peers @param {number} changes
 * @returns {Promise<(readonly string[])[]>}
 */
async function requireResumed(peers, changes) {
  const [first, ...others] = peers;
  const leading = await first?.do('seen', 'chat', 'room', changes);
  const all = changesOf(leading.seen);
  assert.equal(all.length, changes);
  assert.equal(leading.seen.length, changes + 1, 'the first view has seen its first snapshot and changes, and nothing else');
  const seen = [all];
  for (const peer of others) seen.push(await untilReached(peer, leading.position));
  for (const [n, list] of seen.entries()) assert.deepEqual(list, all.slice(all.length - list.length), `the view of ${peers[n]?.name}`);
  return seen;
}

/**
 * Waits until a view has reached a position, and returns its changes.
 *
 * @param {Peer} peer @param {{ epoch: string, offset: number }} position
 */
async function untilReached(peer, position) {
  let last = await peer.do('seen', 'chat', 'room', 0);
  while (last.position.offset < position.offset) last = await peer.do('seen', 'chat', 'room', changesOf(last.seen).length + 1);
  assert.deepEqual(last.position, position);
  assert.deepEqual(
    last.seen.filter((/** @type {string} */ line) => line.startsWith('reset')),
    ['reset first'],
  );
  return changesOf(last.seen);
}

/**
 * Stops the new engine for a way back, as docs/upgrading.md says. If both versions have the same format, it stops in order. Otherwise it is
 * killed, and the kept marker of the older format takes its place again.
 *
 * @param {SmokeEngine} engine @param {string} folder @param {number} format @param {(line: string) => void} say
 */
async function rollBack(engine, folder, format, say) {
  if (formatOf(folder) === format) {
    assert.equal(await engine.end('SIGTERM'), 0);
    say(`both versions have format ${format}, so the new engine stops in order`);
    return;
  }
  await engine.end('SIGKILL');
  for (const store of ['streams', 'state']) {
    const marker = join(folder, store, 'rivulet-store.json');
    renameSync(`${marker}.format-${format}`, marker);
  }
  say(`the new engine had migrated format ${format}; its kept marker is in place again`);
}

/** @param {string} folder @returns {number} */
function formatOf(folder) {
  return JSON.parse(readFileSync(join(folder, 'streams', 'rivulet-store.json'), 'utf8')).format;
}

/** @param {Ports} ports @param {boolean} calls */
function embeddedConfig({ worker, stream }, calls) {
  const kv = (/** @type {string} */ path) => `{ name: kv, config: { store_method: file_based, file_path: ${path} } }`;
  return `workers:
  - name: iii-worker-manager
    config: { host: 127.0.0.1, port: ${worker} }
  - name: iii-stream
    config:
      host: 127.0.0.1
      port: ${stream}
      drain_spread_ms: 0
${calls ? `      expose_functions: ['match("*::count")']\n` : ''}      adapter: ${kv('./streams')}
  - name: iii-state
    config: { adapter: ${kv('./state')} }
`;
}
