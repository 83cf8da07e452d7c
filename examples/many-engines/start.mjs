// Starts a Redis, engines that share it, HAProxy and a worker on this machine: `node examples/many-engines/start.mjs`.
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ensureBuilt, ensureInstalled, fail, ROOT, START_PROJECTS } from '../../scripts/set-up/workspace.mjs';
import { Program } from './program.mjs';

const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const RIVULET = join(ROOT, 'packages/engine/dist/bundle/rivulet.js');

const port = (name, standard) => Number(process.env[name] ?? standard);
const REDIS_PORT = port('REDIS_PORT', 6390);
/** Ports of the balancer, which are those of a single engine. */
const BALANCER = { worker: port('WORKER_PORT', 49134), stream: port('STREAM_PORT', 3112), http: port('HTTP_PORT', 3111) };
const ENGINES = {
  a: {
    worker: port('A_WORKER_PORT', 3151),
    stream: port('A_STREAM_PORT', 3141),
    http: port('A_HTTP_PORT', 3121),
    admin: port('A_ADMIN_PORT', 3161),
  },
  b: {
    worker: port('B_WORKER_PORT', 3152),
    stream: port('B_STREAM_PORT', 3142),
    http: port('B_HTTP_PORT', 3122),
    admin: port('B_ADMIN_PORT', 3162),
  },
  c: {
    worker: port('C_WORKER_PORT', 3153),
    stream: port('C_STREAM_PORT', 3143),
    http: port('C_HTTP_PORT', 3123),
    admin: port('C_ADMIN_PORT', 3163),
  },
};
/** The engines. The third one starts with the command `start c`. */
const AT_FIRST = ['a', 'b'];

const COMMANDS = 'commands: kill a (SIGKILL), stop a (SIGTERM), start a; the same for b and c; quit';

const portsOf = ({ worker, stream, http, admin }) => ({
  LISTEN: '127.0.0.1',
  WORKER_PORT: String(worker),
  STREAM_PORT: String(stream),
  HTTP_PORT: String(http),
  ...(admin === undefined ? {} : { ADMIN_PORT: String(admin) }),
});

class Cluster {
  #redis;
  #engines = new Map();
  #balancer;
  #worker;
  #directory;

  async start() {
    this.#directory = await mkdtemp(join(tmpdir(), 'rivulet-many-engines-'));
    const place = ['--port', String(REDIS_PORT), '--bind', '127.0.0.1', '--dir', this.#directory];
    this.#redis = new Program('redis', 'redis-server', [file('redis.conf'), ...place]);
    await this.#redis.until(/Ready to accept connections/);
    await Promise.all(AT_FIRST.map((name) => this.startEngine(name)));
    this.#worker = startWorker();
    const counts = this.#worker.until(/^counted: 1$/);
    // The checks of the balancer call a function of the worker, so the worker starts first.
    await Promise.all(AT_FIRST.map((name) => this.#worker.until(new RegExp(`:${ENGINES[name].worker}/ has the functions$`))));
    this.#balancer = startBalancer();
    await counts;
  }

  async startEngine(name) {
    if (this.#engines.get(name)?.running) throw new Error(`${name} is running`);
    const env = { ...portsOf(ENGINES[name]), REDIS_URL: `redis://127.0.0.1:${REDIS_PORT}` };
    const args = [RIVULET, 'start', '--config', file('rivulet.yaml')];
    const engine = new Program(name, process.execPath, args, env);
    this.#engines.set(name, engine);
    await engine.until(/^ready /);
  }

  async endEngine(name, signal) {
    await this.#engines.get(name)?.end(signal);
  }

  async stop() {
    await this.#worker?.end('SIGTERM');
    await Promise.all([...this.#engines.values()].map((engine) => engine.end('SIGTERM')));
    await this.#balancer?.end('SIGTERM');
    await this.#redis?.end('SIGTERM');
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true });
  }
}

function startBalancer() {
  const servers = Object.entries(ENGINES).flatMap(([name, ports]) =>
    Object.entries(ports).map(([kind, at]) => [`${name}_${kind}`.toUpperCase(), `127.0.0.1:${at}`]),
  );
  const checks = Object.entries(ENGINES).map(([name, { admin }]) => [`${name}_ADMIN_PORT`.toUpperCase(), String(admin)]);
  // Debian installs haproxy in a folder that is only on the path of root.
  const env = { ...portsOf(BALANCER), ...Object.fromEntries([...servers, ...checks]), PATH: `${process.env.PATH}:/usr/sbin` };
  return new Program('haproxy', 'haproxy', ['-db', '-f', file('haproxy.cfg')], env);
}

function startWorker() {
  const engines = Object.values(ENGINES).map(({ worker }) => `ws://127.0.0.1:${worker}`);
  const env = { III_URL: `ws://127.0.0.1:${BALANCER.worker}`, ENGINES: engines.join(',') };
  return new Program('worker', process.execPath, [file('worker.mjs')], env);
}

async function obey(cluster, line) {
  const [verb, name] = line.trim().split(/\s+/);
  if (verb === 'quit') return process.kill(process.pid, 'SIGTERM');
  if (!Object.hasOwn(ENGINES, name ?? '')) return console.log(COMMANDS);
  if (verb === 'start') await cluster.startEngine(name);
  else if (verb === 'kill') await cluster.endEngine(name, 'SIGKILL');
  else if (verb === 'stop') await cluster.endEngine(name, 'SIGTERM');
  else console.log(COMMANDS);
}

if (!existsSync(RIVULET)) {
  await ensureInstalled(ROOT).catch(fail);
  await ensureBuilt(ROOT, START_PROJECTS).catch(fail);
}

const cluster = new Cluster();
const end = async (code) => {
  await cluster.stop();
  process.exit(code);
};
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void end(0));
try {
  await cluster.start();
} catch (error) {
  console.error(error.code === 'ENOENT' ? `${error.path} is not there: apt-get install redis-server haproxy` : error.message);
  await end(1);
}
console.log(
  `ready streams=ws://127.0.0.1:${BALANCER.stream} workers=ws://127.0.0.1:${BALANCER.worker} http=http://127.0.0.1:${BALANCER.http}/board`,
);
console.log(COMMANDS);
for await (const line of createInterface({ input: process.stdin }))
  await obey(cluster, line).catch((error) => console.error(error.message));
