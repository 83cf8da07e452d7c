import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect } from '@rivulet/client';
import { registerWorker, stream } from '@rivulet/sdk';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { CLI } from '@rivulet/testkit/engines/built-engine';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { stablePorts } from '@rivulet/testkit/engines/stable-ports';
import { inSeconds, RSA, token } from '@rivulet/testkit/jwt-tokens';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { ROOT } from '../../set-up/workspace.mjs';
import { filesOf, pageOf, projectWith, replaced, startProgram } from '../learning-pages.js';

/** Runs a program to its end. */
async function outputOf(child: ChildProcess): Promise<{ readonly code: number | null; readonly output: string }> {
  const closed = once(child, 'close');
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
  const [parts, [code]] = await Promise.all([Promise.all(streams.map((stream) => text(stream))), closed]);
  return { code, output: parts.join('') };
}

/** Returns the only block of a page in a language that has a text. */
function blockOf(page: string, part: string): string {
  const blocks = [...pageOf(page).matchAll(/^```\w+\n([^]*?)^```$/gm)].map(([, code = '']) => code).filter((code) => code.includes(part));
  if (blocks.length !== 1) throw new Error(`${page} has ${blocks.length} blocks with ${part}`);
  return blocks[0] ?? '';
}

test('load tests: the script prints the times of all deliveries', async () => {
  const { workerUrl, streamUrl } = await startTestEngine();
  const folder = projectWith(filesOf('guides/load-tests.md'));
  const { code, output } = await outputOf(startProgram(folder, ['load.js', '20', '5'], { WORKER_URL: workerUrl, STREAM_URL: streamUrl }));
  expect({ code, output }).toEqual({
    code: 0,
    output: expect.stringMatching(/^20 readers, 100 deliveries: median [\d.]+ ms, p99 [\d.]+ ms\n$/),
  });
});

test('testing your own worker: the tests of the page pass', async () => {
  const files = filesOf('guides/testing-your-worker.md');
  expect(Object.keys(files)).toEqual(['functions.js', 'functions.test.js']);
  const { code, output } = await outputOf(startProgram(projectWith(files), ['--test']));
  expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('# pass 2') });
});

test('identity provider: a token of the provider allows what the configuration says, and nothing else', async () => {
  const key = { ...RSA.publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'RS256' };
  const provider = createServer((_request, response) => response.end(JSON.stringify({ keys: [key] }))).listen(0, '127.0.0.1');
  await once(provider, 'listening');
  onTestFinished(() => void provider.close());
  const jwks = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/keys`;
  const engine = await EngineProcess.start({
    config: ({ worker, stream: port }) =>
      replaced(blockOf('guides/identity-provider.md', 'jwks_url: '), [
        ['49134', String(worker)],
        ['3112', String(port)],
        ['https://login.example.com/realms/main/protocol/openid-connect/certs', jwks],
      ]),
  });
  const claims = { sub: 'ann', exp: inSeconds(600), iss: 'https://login.example.com/realms/main', aud: 'rivulet' };
  const signed = (more: object) => token({ ...claims, ...more }, { alg: 'RS256', kid: 'k1' }, RSA.privateKey);
  const read = async (path: string, bearer: string) => {
    const url = `${engine.streamUrl.replace('ws:', 'http:')}/stream/${path}`;
    return (await fetch(url, { headers: { authorization: `Bearer ${bearer}` } })).status;
  };
  const right = signed({});
  expect(await read('chat/lobby', right)).toBe(200);
  expect(await read('inbox/ann', right)).toBe(200);
  expect(await read('inbox/bob', right)).toBe(403);
  expect(await read('chat/lobby', signed({ aud: 'another' }))).toBe(401);
  expect(await read('chat/lobby', signed({ iss: 'https://login.example.com/realms/main/' }))).toBe(401);
  for (const reason of ['audience_wrong', 'issuer_wrong']) expect(engine.log).toContain(`reason=${reason}`);
});

/** A certificate of this machine, as certbot would put it. Returns the paths of its files. */
async function certificate() {
  const folder = directoryWith();
  const [key, chain, both] = ['privkey.pem', 'fullchain.pem', 'site.pem'].map((name) => join(folder, name)) as [string, string, string];
  const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', key, '-out', chain];
  const { code, output } = await outputOf(spawn('openssl', words, { stdio: ['ignore', 'pipe', 'pipe'] }));
  if (code !== 0) throw new Error(output);
  writeFileSync(both, readFileSync(chain, 'utf8') + readFileSync(key, 'utf8'));
  return { folder, key, chain, both };
}

/** Starts a proxy that ends with the test. */
function startProxy(program: string, words: readonly string[], env: NodeJS.ProcessEnv): void {
  const proxy = spawn(program, words, { env, stdio: 'inherit' });
  onTestFinished(async () => {
    proxy.kill('SIGTERM');
    await once(proxy, 'exit');
  });
}

const example = (name: string) => readFileSync(join(ROOT, 'examples/behind-a-proxy', name), 'utf8');

const PROXIES = {
  nginx: async (streamPort: number, port: number) => {
    const { folder, key, chain } = await certificate();
    const tls = replaced(blockOf('guides/tls.md', 'listen 443'), [
      ['listen 443', `listen 127.0.0.1:${port}`],
      ['/etc/letsencrypt/live/streams.example.com/fullchain.pem', chain],
      ['/etc/letsencrypt/live/streams.example.com/privkey.pem', key],
    ]);
    const site = replaced(example('nginx.conf'), [
      ['  listen 8080;\n', tls],
      ['127.0.0.1:3112', `127.0.0.1:${streamPort}`],
      ['/var/cache/nginx-rivulet', join(folder, 'cache')],
    ]);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((of) => `${of}_temp_path ${join(folder, of)};`).join(' ');
    const user = process.getuid?.() === 0 ? 'user root;' : '';
    writeFileSync(
      join(folder, 'nginx.conf'),
      `${user} daemon off; pid ${join(folder, 'pid')}; error_log stderr warn;\nevents {}\nhttp { access_log off; ${temporary}\n${site}}\n`,
    );
    startProxy('nginx', ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')], process.env);
  },
  HAProxy: async (streamPort: number, port: number) => {
    const { folder, both } = await certificate();
    const bind = replaced(blockOf('guides/tls.md', 'bind :443'), [
      [':443', `127.0.0.1:${port}`],
      ['/etc/haproxy/site.pem', both],
    ]);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: HAProxy has this form for variables.
    const file = replaced(example('haproxy.cfg'), [['  bind "${LISTEN-0.0.0.0}:${PORT-8080}"\n', bind]]);
    writeFileSync(join(folder, 'haproxy.cfg'), file);
    const env = { ...process.env, ENGINE: `127.0.0.1:${streamPort}`, FILES: join(ROOT, 'examples/behind-a-proxy') };
    startProxy('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], env);
  },
};

test.each(Object.entries(PROXIES))('TLS with %s: a client watches a group over wss', async (_name, startWith) => {
  const { workerUrl, streamUrl } = await startTestEngine();
  const { port } = await stablePorts(['port']);
  await startWith(Number(new URL(streamUrl).port), port);
  const worker = registerWorker(workerUrl);
  onTestFinished(() => worker.shutdown());
  class AnyCertificate extends WebSocket {
    constructor(url: string, protocols?: string[]) {
      super(url, protocols, { rejectUnauthorized: false });
    }
  }
  const client = connect(`wss://127.0.0.1:${port}`, { WebSocket: AnyCertificate });
  onTestFinished(() => client.close());
  const room = client.subscribeGroup('chat', 'room-1');
  await room.whenLive();
  await stream(worker).set('chat', 'room-1', 'm1', { text: 'hello' });
  await expect.poll(() => room.items.map(({ data }) => data)).toEqual([{ text: 'hello' }]);
});

test('backups: the nightly script makes one and deletes old ones, and a restore has the items', async () => {
  const engine = await EngineProcess.start({ admin: [] });
  const worker = registerWorker(engine.workerUrl);
  onTestFinished(() => worker.shutdown());
  await stream(worker).set('chat', 'room-1', 'm1', { text: 'hello' });
  const folder = directoryWith({ 'bin/rivulet': `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n` });
  chmodSync(join(folder, 'bin/rivulet'), 0o755);
  const config = join(engine.directory, 'iii-config.yaml');
  const backups = join(folder, 'backups');
  mkdirSync(join(backups, 'old'), { recursive: true });
  const shell = (script: string) => {
    const here = script.replaceAll('/etc/rivulet/rivulet.yaml', config).replaceAll('/var/backups/rivulet', backups);
    const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH']}` };
    return outputOf(spawn('sh', ['-euc', here], { cwd: engine.directory, env, stdio: ['ignore', 'pipe', 'pipe'] }));
  };
  await shell(`touch -d '20 days ago' '${join(backups, 'old')}'`);
  expect(await shell(blockOf('guides/backups.md', 'set -eu'))).toMatchObject({ code: 0 });
  const [made = '', ...others] = readdirSync(backups);
  expect([made, others]).toEqual([expect.stringMatching(/^\d{4}-\d\d-\d\dT\d{6}$/), []]);
  const restore = blockOf('guides/backups.md', 'rivulet restore').replace('rivulet/first', `rivulet/${made}`);
  expect(await shell(restore)).toMatchObject({ code: 0, output: expect.stringContaining('restored: sound') });
});
