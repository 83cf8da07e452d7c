import { once } from 'node:events';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { run } from '@rivulet/testkit/engines/cli-process';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { stablePorts } from '@rivulet/testkit/engines/stable-ports';
import { expect, onTestFinished, test } from 'vitest';
import { checkPorts } from '../../src/cli/doctor/port-checks.js';
import { loadConfig } from '../../src/config/loading/load-config.js';

interface Finding {
  readonly level: 'ok' | 'note' | 'change';
  readonly area: string;
  readonly message: string;
}

/** Runs the doctor. Returns its exit code and its findings, without those of the machine, which tests do not choose. */
async function doctor(cwd: string, ...words: string[]) {
  const { code, stdout, stderr } = await run(['doctor', '--json', ...words], cwd);
  expect(stderr).toBe('');
  const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: Finding[] };
  expect(findings.some(({ area }) => area === 'machine')).toBe(true);
  expect(code).toBe(ok ? 0 : 1);
  return findings.filter(({ area }) => area !== 'machine');
}

function messagesOf(findings: readonly Finding[], level: Finding['level']): string[] {
  return findings.filter((finding) => finding.level === level).map(({ area, message }) => `${area}: ${message}`);
}

/** Starts a server that answers everything with one status, as a proxy does that passes no upgrades. */
async function answering(status: number): Promise<number> {
  const server = createServer((_request, response) => response.writeHead(status).end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

test('the doctor finds nothing to change beside a running engine', async () => {
  const engine = await EngineProcess.start();
  const found = await doctor(engine.directory, '--via', `${engine.streamUrl}/`);
  expect(messagesOf(found, 'change')).toEqual([]);
  expect(messagesOf(found, 'ok')).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^ports: 127\.0\.0\.1:\d+ is served by an engine \(iii-stream\)$/),
      expect.stringMatching(/^ports: 127\.0\.0\.1:\d+ is served by an engine \(iii-worker-manager\)$/),
      expect.stringMatching(/^store: streams: .*can be written; \d+ MiB are free/),
      expect.stringMatching(/^proxy: .* opens a WebSocket$/),
    ]),
  );
});

test('the doctor says what to change: ports, stores, the file and the proxy', async () => {
  const [taken, lost, without] = await Promise.all([answering(418), answering(426), answering(502)]);
  const { free } = await stablePorts(['free']);
  const text = [
    'workers:',
    `  - { name: iii-worker-manager, config: { host: 127.0.0.1, port: ${taken} } }`,
    `  - { name: iii-stream, config: { host: 192.0.2.1, port: 3112, allow_anonymous: true, adapter: { name: redis, config: { redis_url: "redis://:secret@127.0.0.1:${free}" } } } }`,
    `  - { name: iii-state, config: { adapter: { name: kv, config: { store_method: file_based, file_path: ./open } } } }`,
    '',
  ].join('\n');
  const cwd = directoryWith({ 'iii-config.yaml': text });
  mkdirSync(join(cwd, 'open'));
  chmodSync(join(cwd, 'open'), 0o755);
  const found = await doctor(cwd, '--via', `http://127.0.0.1:${lost}`);
  expect(messagesOf(found, 'change')).toEqual([
    expect.stringMatching(/^ports: 127\.0\.0\.1:\d+ is in use by another program; stop it, or give iii-worker-manager another port$/),
    expect.stringMatching(/^ports: 192\.0\.2\.1 is no address of this machine; give iii-stream another host$/),
    expect.stringMatching(new RegExp(`^store: streams: no connection to the Redis at 127\\.0\\.0\\.1:${free} \\(ECONNREFUSED\\)`)),
    expect.stringMatching(/^proxy: .* loses the upgrade: .*proxy_set_header Upgrade/),
  ]);
  expect(messagesOf(found, 'note')).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^store: state: other users of this machine may read .*chmod 700/),
      expect.stringMatching(/^engine: the file lists no rivulet-admin/),
    ]),
  );
  expect(JSON.stringify(found)).not.toContain('secret');
  const broken = await doctor(
    directoryWith({ 'iii-config.yaml': 'workers: [{ name: iii-stream, config: { prot: 1 } }]' }),
    '--via',
    `http://127.0.0.1:${without}`,
  );
  expect(messagesOf(broken, 'change')).toEqual([
    expect.stringMatching(/^configuration: .*unknown key "prot", did you mean "port"\?$/),
    expect.stringMatching(/^proxy: .* answers 502: the proxy does not reach the engine/),
  ]);
});

test('the doctor names a configuration file that cannot be looked up', async () => {
  const cwd = directoryWith();
  symlinkSync('iii-config.yaml', join(cwd, 'iii-config.yaml'));
  expect(messagesOf(await doctor(cwd), 'change')).toEqual([expect.stringMatching(/^configuration: ELOOP.*; correct the symbolic link$/)]);
});

test('the doctor asks the running engine why it is not ready', async () => {
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/ready' ? 503 : 200, { 'content-type': 'application/json' });
    if (request.url === '/health') response.end('{"status":"ok","engine":"rivulet"}');
    else response.end('{"status":"not_ready","reasons":[{"code":"store_full","store":"stream","message":"the disk is \\u001b[2J full"}]}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const cwd = directoryWith({
    'iii-config.yaml': `workers: [{ name: iii-worker-manager, config: { port: 0, host: 127.0.0.1 } }, { name: rivulet-admin, config: { port: ${port} } }]`,
  });
  const { code, stdout } = await run(['doctor'], cwd);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^change {2}engine: the running engine is not ready: the disk is \\u001b\[2J full \(store_full\)$/m);
  expect(stdout).toMatch(/^to change: \d+, notes: \d+\n$/m);
});

test('the doctor tells an engine from another program on its ports, and gives that no token', async () => {
  const tokens: (string | undefined)[] = [];
  const server = createServer(({ headers, url }, response) => {
    tokens.push(headers.authorization);
    response.end(url === '/ready' ? '{"status":"ready"}' : '{"status":"ok"}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const env = { RIVULET_ADMIN_TOKEN: 'secret' };
  const at = async (entry: string) => {
    const worker = `{ name: iii-worker-manager, config: { port: 0, host: 127.0.0.1 } }`;
    const cwd = directoryWith({
      'iii-config.yaml': `workers: [${worker}, { name: ${entry}, config: { host: 127.0.0.1, port: ${port} } }]`,
    });
    const { stdout } = await run(['doctor', '--json'], cwd, env);
    return messagesOf((JSON.parse(stdout) as { findings: Finding[] }).findings, 'change').filter((message) => message.startsWith('ports'));
  };
  const inUse = [expect.stringMatching(/is in use by another program/)];
  expect(await Promise.all([at('iii-http'), at('rivulet-admin'), at('iii-stream')])).toEqual([inUse, inUse, inUse]);
  expect(tokens.length).toBeGreaterThan(0);
  expect(new Set(tokens)).toEqual(new Set([undefined]));

  // Without a file, the engine warns and starts without this listener.
  const config = loadConfig({ cwd: directoryWith(), env: {}, lenient: false });
  const free = { ...config, workerManagers: [], stream: undefined, http: undefined };
  if (config.admin === undefined) throw new Error('the defaults have no admin listener');
  expect(await checkPorts({ ...free, admin: { ...config.admin, port } })).toEqual([
    {
      level: 'note',
      area: 'ports',
      message: expect.stringMatching(/is in use by another program, so the engine starts without rivulet-admin/),
    },
  ]);
});

test('the doctor knows the HTTP and admin listeners of an engine, also those with a token', async () => {
  const { httpUrl, adminUrl } = await startTestEngine({ admin: { token: 'sesame-sesame-sesame' }, http: {} });
  const portOf = (url: string) => Number(/:(\d+)$/.exec(url)?.[1]);
  const text = [
    'workers:',
    '  - { name: iii-worker-manager, config: { port: 0, host: 127.0.0.1 } }',
    `  - { name: iii-http, config: { host: 127.0.0.1, port: ${portOf(httpUrl)} } }`,
    `  - { name: rivulet-admin, config: { host: 127.0.0.1, port: ${portOf(adminUrl)} } }`,
    '',
  ].join('\n');
  const found = await doctor(directoryWith({ 'iii-config.yaml': text }));
  expect(messagesOf(found, 'ok')).toEqual(
    expect.arrayContaining([
      `ports: 127.0.0.1:${portOf(httpUrl)} is served by an engine (iii-http)`,
      `ports: 127.0.0.1:${portOf(adminUrl)} is served by an engine (rivulet-admin)`,
      'engine: the running engine is ready',
    ]),
  );
});
