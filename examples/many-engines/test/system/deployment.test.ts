import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CLI } from '@rivulet/testkit/engines/built-engine';
import { stablePorts } from '@rivulet/testkit/engines/stable-ports';
import { Inbox } from '@rivulet/testkit/inbox';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { commandOf, makeStage, readDockerfile, valueOf } from '../dockerfile.js';

const exec = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const EXAMPLE = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(join(EXAMPLE, path), 'utf8');

interface Port {
  readonly name: string;
  readonly containerPort?: number;
  readonly port?: number;
  readonly targetPort?: string;
}

interface Container {
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly ports?: readonly Port[];
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly startupProbe?: unknown;
  readonly readinessProbe?: unknown;
  readonly livenessProbe?: unknown;
}

interface Pod {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly [Container];
  readonly volumes?: readonly { readonly name: string; readonly configMap: { readonly name: string } }[];
}

type Labels = Readonly<Record<string, string>>;

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Labels };
  readonly data?: Labels;
  readonly spec: {
    readonly selector: Labels & { readonly matchLabels?: Labels };
    readonly podSelector: { readonly matchLabels: Labels };
    readonly ports: readonly Port[];
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: Pod };
    readonly rules: readonly [{ readonly http: { readonly paths: readonly [{ readonly backend: { readonly service: Backend } }] } }];
    readonly ingress: readonly {
      readonly ports: readonly { readonly port: string }[];
      readonly from?: readonly { readonly podSelector: { readonly matchLabels: Labels } }[];
    }[];
  };
}

interface Backend {
  readonly name: string;
  readonly port: { readonly name: string };
}

interface Service {
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly environment?: Labels;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly stop_grace_period?: string;
  readonly healthcheck?: { readonly test: readonly string[] };
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as { readonly services: Readonly<Record<string, Service>> };
const stages = await readDockerfile(join(EXAMPLE, 'Dockerfile'));
const files = readdirSync(join(EXAMPLE, 'kubernetes'));
const manifests = files.flatMap((file) =>
  parseAllDocuments(read(`kubernetes/${file}`)).map((document) => {
    if (document.errors.length > 0) throw new Error(`${file}: ${document.errors[0]?.message}`);
    return document.toJS() as Manifest;
  }),
);

const ofKind = (...kinds: readonly string[]) => manifests.filter(({ kind }) => kinds.includes(kind));
function named(kind: string, name: string): Manifest {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}
const pods = ofKind('Deployment', 'StatefulSet').map(({ spec }) => spec.template);
const chosenBy = (labels: Labels) =>
  pods.filter((pod) => Object.entries(labels).every(([name, value]) => pod.metadata.labels[name] === value));
const engineContainer = named('Deployment', 'rivulet').spec.template.spec.containers[0];
const boardContainer = named('Deployment', 'board').spec.template.spec.containers[0];
const environmentOf = ({ env = [] }: Container): Labels => Object.fromEntries(env.map(({ name, value }) => [name, value]));

interface Effective {
  readonly workers: readonly {
    readonly name: string;
    readonly config: Readonly<Record<string, unknown>> & { readonly adapter?: { readonly config: Labels } };
  }[];
}

/** Returns the result of the engine's own command for the file, with only these variables. */
async function effective(file: string, env: Labels): Promise<(name: string) => Effective['workers'][number]['config']> {
  const run = (command: string, ...more: readonly string[]) =>
    exec(process.execPath, [CLI, command, '--config', file, ...more], { env: { ...env } });
  expect(await run('check-config')).toEqual({ stdout: `ok ${file}\n`, stderr: '' });
  const { workers } = JSON.parse((await run('print-config', '--json')).stdout) as Effective;
  return (name) => workers.find((worker) => worker.name === name)?.config ?? {};
}

const PORTS = { worker: 49134, stream: 3112, http: 3111, admin: 3113 };
const STOP_SECONDS = Number(/An ordered stop takes at most (\d+) s/.exec(readFileSync(join(ROOT, 'docs/limits.md'), 'utf8'))?.[1]);

describe('the configuration of the engines', () => {
  const ways = [
    ['of Compose', 'redis://redis:6379', compose.services['engine-a']?.environment ?? {}],
    ['of Kubernetes', 'redis://rivulet-redis:6379', environmentOf(engineContainer)],
  ] as const;

  test.each(ways)('%s is accepted without a warning, and has the ports and the Redis of the other files', async (_of, url, env) => {
    const config = await effective(join(EXAMPLE, 'rivulet.yaml'), env);
    for (const [kind, entry] of [
      ['worker', 'rivulet-worker-manager'],
      ['stream', 'rivulet-stream'],
      ['http', 'rivulet-http'],
      ['admin', 'rivulet-admin'],
    ] as const)
      expect([kind, config(entry)]).toMatchObject([kind, { port: PORTS[kind], host: '0.0.0.0' }]);
    for (const entry of ['rivulet-stream', 'rivulet-state'])
      expect(config(entry)).toMatchObject({ adapter: { name: 'redis', config: { redis_url: url } } });
    for (const name of Object.keys(env)) expect(read('rivulet.yaml')).toContain(`\${${name}:`);
  });

  test('is the same file everywhere', () => {
    expect(named('ConfigMap', 'rivulet').data).toEqual({ 'rivulet.yaml': read('rivulet.yaml') });
    const directives = (text = '') => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const ofCluster = directives(named('ConfigMap', 'rivulet-redis').data?.['redis.conf']);
    expect(ofCluster.filter((line) => !line.startsWith('maxmemory ')).sort((a, b) => (a < b ? -1 : 1))).toEqual(
      directives(read('redis.conf')).sort((a, b) => (a < b ? -1 : 1)),
    );
    // The rewrite of the log needs memory beside it.
    expect(ofCluster).toContain('maxmemory 1500mb');
  });
});

describe('docker-compose.yml', () => {
  const { services } = compose;

  test('builds stages that are there, mounts files that are there, and waits for services that are there', () => {
    for (const { context, dockerfile, target } of Object.values(services).flatMap(({ build }) => build ?? [])) {
      expect(resolve(EXAMPLE, context)).toBe(resolve(ROOT));
      expect(existsSync(resolve(EXAMPLE, context, dockerfile))).toBe(true);
      expect(stages.map((stage) => stage.name)).toContain(target);
    }
    for (const { volumes = [], depends_on = [] } of Object.values(services)) {
      const mounted = volumes.map((volume) => volume.split(':')[0] ?? '').filter((source) => source.startsWith('.'));
      expect(mounted.filter((source) => !existsSync(join(EXAMPLE, source)))).toEqual([]);
      const others = Array.isArray(depends_on) ? depends_on : Object.keys(depends_on);
      expect(others.filter((other: string) => services[other] === undefined)).toEqual([]);
    }
  });

  test('every host of the balancer and the worker is a service, at the port of the engine', () => {
    const servers = [...read('haproxy.cfg').matchAll(/server \w "\$\{\w+-([^}:]+):(\d+)\}"/g)].map(([, host = '', port]) => [
      host,
      Number(port),
    ]);
    const engines = Object.keys(services).filter((name) => name.startsWith('engine-'));
    expect(servers).toEqual([PORTS.stream, PORTS.worker, PORTS.http].flatMap((port) => engines.map((engine) => [engine, port])));
    expect(services.worker?.environment).toEqual({
      III_URL: `ws://balancer:${PORTS.worker}`,
      ENGINES: engines.map((engine) => `ws://${engine}:${PORTS.worker}`).join(','),
    });
    const published = services.balancer?.ports?.map((port) => port.split(':'));
    expect(published).toEqual([PORTS.stream, PORTS.worker, PORTS.http].map((port) => ['127.0.0.1', `${port}`, `${port}`]));
  });

  test('asks for the readiness of an engine with a command that works', async () => {
    const { healthcheck } = services['engine-a'] ?? {};
    expect(healthcheck?.test).toEqual(['CMD', 'node', '-e', expect.stringContaining(`127.0.0.1:${PORTS.admin}/ready`) as string]);
    // Nothing listens at this port.
    const script = healthcheck?.test[3]?.replace(String(PORTS.admin), '1') ?? '';
    await expect(exec(process.execPath, ['-e', script])).rejects.toMatchObject({ code: 1 });
  });

  test('waits for the end of an ordered stop', () => {
    for (const name of ['engine-a', 'engine-b', 'engine-c'])
      expect(Number.parseInt(services[name]?.stop_grace_period ?? '0')).toBeGreaterThan(STOP_SECONDS);
  });
});

describe('kubernetes', () => {
  test('selectors find pods, ports have the numbers of the configuration, backends are services', () => {
    const key = ({ kind, metadata }: Manifest) => `${kind}/${metadata.name}`;
    expect(new Set(manifests.map(key)).size).toBe(manifests.length);
    for (const { spec } of ofKind('Deployment', 'StatefulSet', 'PodDisruptionBudget'))
      expect(chosenBy(spec.selector.matchLabels ?? {})).toHaveLength(1);
    for (const { spec } of ofKind('NetworkPolicy')) expect(chosenBy(spec.podSelector.matchLabels)).toHaveLength(1);
    for (const service of ofKind('Service')) {
      const [pod, ...others] = chosenBy(service.spec.selector);
      expect([key(service), others]).toEqual([key(service), []]);
      const ports = pod?.spec.containers[0].ports ?? [];
      for (const { port, targetPort } of service.spec.ports) expect(ports).toContainEqual({ name: targetPort, containerPort: port });
    }
    expect(Object.fromEntries((engineContainer.ports ?? []).map(({ name, containerPort }) => [name, containerPort]))).toEqual(PORTS);
    const { service } = named('Ingress', 'rivulet').spec.rules[0].http.paths[0].backend;
    expect(named('Service', service.name).spec.ports.map(({ name }) => name)).toContain(service.port.name);
    for (const pod of pods) {
      const { containers, volumes = [] } = pod.spec;
      for (const { configMap } of volumes) expect(named('ConfigMap', configMap.name).data).toBeDefined();
      expect(volumes.filter(({ name }) => !containers[0].volumeMounts?.some((mount) => mount.name === name))).toEqual([]);
    }
  });

  test('the worker port is open to workers only, and the Redis to engines', () => {
    const [open, trusted] = named('NetworkPolicy', 'rivulet').spec.ingress;
    expect(open).toEqual({ ports: [{ port: 'stream' }, { port: 'http' }] });
    expect(trusted?.ports).toEqual([{ port: 'worker' }]);
    const allowed = chosenBy(trusted?.from?.[0]?.podSelector.matchLabels ?? {});
    expect(allowed.map((pod) => pod.metadata.labels.app)).toEqual(['board']);
    expect(named('NetworkPolicy', 'rivulet-redis').spec.ingress[0]?.from).toEqual([{ podSelector: { matchLabels: { app: 'rivulet' } } }]);
  });

  test('addresses are those of services', () => {
    const hosts = [environmentOf(engineContainer).REDIS_URL, environmentOf(boardContainer).III_URL, environmentOf(boardContainer).ENGINES];
    for (const host of hosts) {
      const { hostname, port } = new URL(host ?? '');
      expect(named('Service', hostname).spec.ports.map((each) => each.port)).toEqual([Number(port)]);
    }
    for (const name of Object.keys(environmentOf(boardContainer))) expect(read('worker.mjs')).toContain(`process.env.${name}`);
  });

  test('a pod has the time of an ordered stop after its preStop, and is probed at the admin listener', () => {
    const { terminationGracePeriodSeconds } = named('Deployment', 'rivulet').spec.template.spec;
    const [program, seconds] = engineContainer.lifecycle?.preStop.exec.command ?? [];
    expect(program).toBe('sleep');
    expect(terminationGracePeriodSeconds).toBeGreaterThan(Number(seconds) + STOP_SECONDS);
    const { startupProbe, readinessProbe, livenessProbe } = engineContainer;
    for (const probe of [startupProbe, readinessProbe]) expect(probe).toMatchObject({ httpGet: { path: '/ready', port: 'admin' } });
    expect(livenessProbe).toMatchObject({ httpGet: { path: '/health', port: 'admin' } });
  });
});

test('a silent WebSocket outlives the pings of the engine in every proxy', async () => {
  const stream = (await effective(join(EXAMPLE, 'rivulet.yaml'), {}))('rivulet-stream');
  const seconds = (Number(stream.ping_interval_ms) + Number(stream.pong_timeout_ms)) / 1_000;
  expect(Number(/^ {2}timeout tunnel (\d+)s$/m.exec(read('haproxy.cfg'))?.[1])).toBeGreaterThan(seconds);
  const annotations = named('Ingress', 'rivulet').metadata.annotations ?? {};
  for (const of of ['read', 'send'])
    expect(Number(annotations[`nginx.ingress.kubernetes.io/proxy-${of}-timeout`])).toBeGreaterThan(seconds);
});

describe('the Dockerfile', () => {
  test('its two images end in order: not root, SIGTERM, node as process 1', async () => {
    for (const name of ['engine', 'worker']) {
      const stage = stages.find((each) => each.name === name);
      if (stage === undefined) throw new Error(`no stage ${name}`);
      expect(valueOf(stage, 'USER')).toBe('node');
      const [program, script = ''] = commandOf(stage);
      expect([program, existsSync(join(ROOT, script))]).toEqual(['node', true]);
    }
    const [engine] = stages.filter(({ name }) => name === 'engine');
    if (engine === undefined) throw new Error('no engine');
    expect(engine).toBe(stages.at(-1));
    expect(valueOf(engine, 'STOPSIGNAL')).toBe('SIGTERM');
    expect(valueOf(engine, 'EXPOSE')?.split(' ').map(Number)).toEqual(Object.values(PORTS));
    // The command is the same everywhere. Only the path of the configuration differs.
    const command = commandOf(engine);
    const place = command.at(-1) ?? '';
    expect(existsSync(join(ROOT, place))).toBe(true);
    expect(compose.services['engine-a']?.volumes).toEqual([`./rivulet.yaml:${valueOf(stages[0] ?? engine, 'WORKDIR')}/${place}:ro`]);
    expect(engineContainer.args).toEqual([...command.slice(0, -1), '/etc/rivulet/rivulet.yaml']);
    expect(engineContainer.volumeMounts?.[0]?.mountPath).toBe('/etc/rivulet');
  });

  test('its steps, run here, make an engine and a worker that work together as nobody, with nothing to write to', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rivulet-image-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await chmod(folder, 0o755);
    const { stdout } = await exec('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: ROOT,
      maxBuffer: 2 ** 24,
    });
    const context = stdout.split('\0').filter((file) => file !== '' && existsSync(join(ROOT, file)));
    const redis = await RedisServer.start();
    onTestFinished(() => redis.dispose());
    const { worker, stream, http, admin } = await stablePorts(['worker', 'stream', 'http', 'admin']);
    const ports = {
      WORKER_PORT: String(worker),
      STREAM_PORT: String(stream),
      HTTP_PORT: String(http),
      ADMIN_PORT: String(admin),
      LISTEN: '127.0.0.1',
    };
    const engine = await run('engine', { ...ports, REDIS_URL: redis.url });
    await engine.said(/^ready /);
    expect((await fetch(`http://127.0.0.1:${admin}/ready`)).status).toBe(200);
    const board = await run('worker', { III_URL: `ws://127.0.0.1:${worker}` });
    await board.said(/^counted: 1$/);
    expect(await (await fetch(`http://127.0.0.1:${http}/board`)).json()).toEqual([{ id: 'count', n: expect.any(Number) as number }]);
    expect(await board.stop()).toEqual([0, null]);
    expect(await engine.stop()).toEqual([0, null]);

    async function run(name: string, env: Labels) {
      const stage = stages.find((each) => each.name === name);
      if (stage === undefined) throw new Error(`no stage ${name}`);
      const cwd = await makeStage(name, stages, context, ROOT, folder);
      const [, ...args] = commandOf(stage);
      // Root may write anywhere, and this user may not.
      const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
      const child = spawn(process.execPath, args, { cwd, env, ...user, stdio: ['ignore', 'pipe', 'inherit'] });
      const exited = once(child, 'exit');
      const lines = new Inbox<string>();
      createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
      onTestFinished(() => void child.kill('SIGKILL'));
      const stop = () => {
        child.kill('SIGTERM');
        return exited;
      };
      return { said: (pattern: RegExp) => lines.take((line) => pattern.test(line), `a line ${pattern}`), stop };
    }
  });
});

test('haproxy takes haproxy.cfg without a warning, also with the lines of docs/scaling.md that keep groups together', async () => {
  const kinds = Object.entries(PORTS).map(([kind, port]) => [kind.toUpperCase(), port] as const);
  const servers = ['A', 'B', 'C'].flatMap((name) => [
    ...kinds.map(([kind, port]) => [`${name}_${kind}`, `127.0.0.1:${port}`]),
    [`${name}_ADMIN_PORT`, String(PORTS.admin)],
  ]);
  const env = { PATH: `${process.env.PATH}:/usr/sbin`, ...(Object.fromEntries(servers) as Labels) };
  const [, ...together] =
    /In HAProxy, use `([^`]+)`,\s+`([^`]+)`\s+and\s+`([^`]+)`\s+in\s+place\s+of\s+`balance leastconn`/.exec(
      readFileSync(join(ROOT, 'docs/scaling.md'), 'utf8'),
    ) ?? [];
  expect(together).toHaveLength(3);
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-haproxy-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const other = join(folder, 'haproxy.cfg');
  await writeFile(other, read('haproxy.cfg').replace('balance leastconn', together.join('\n  ')));
  for (const file of [join(EXAMPLE, 'haproxy.cfg'), other]) {
    const { stdout, stderr } = await exec('haproxy', ['-c', '-f', file], { env });
    expect(`${stdout}${stderr}`).toMatch(/Configuration file is valid/);
    expect(stderr).not.toMatch(/WARNING|ALERT/);
  }
});
