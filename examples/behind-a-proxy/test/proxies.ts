import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stablePorts } from '@rivulet/testkit/engines/stable-ports';
import { onTestFinished } from 'vitest';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));

export const fileOf = (name: string) => readFile(join(FOLDER, name), 'utf8');

export interface Nginx {
  readonly url: string;
  /** Returns the number of requests that nginx has begun to read and has not answered to the end. */
  readonly unanswered: () => Promise<number>;
}

/** Starts nginx with the file of the example, and only other ports and folders. Returns its URL. */
export const startNginx = async (streamPort: number): Promise<string> => (await startCountedNginx(streamPort)).url;

/** Does the same, and counts the requests that wait. */
export async function startCountedNginx(streamPort: number): Promise<Nginx> {
  const { port, status } = await stablePorts(['port', 'status']);
  const folder = await scratch();
  const site = replaced(await fileOf('nginx.conf'), [
    ['listen 8080;', `listen 127.0.0.1:${port};`],
    ['127.0.0.1:3112', `127.0.0.1:${streamPort}`],
    ['/var/cache/nginx-rivulet', join(folder, 'cache')],
  ]);
  await writeFile(join(folder, 'site.conf'), site);
  // The rest of a system's nginx.conf.
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((of) => `${of}_temp_path ${join(folder, of)};`);
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${join(folder, 'pid')}; error_log stderr warn;
events { worker_connections 8192; }
http {
  access_log off; ${temporary.join(' ')} include ${join(folder, 'site.conf')};
  server { listen 127.0.0.1:${status}; location / { stub_status; } }
}
`,
  );
  const root = process.getuid?.() === 0 ? ['-g', 'user root;'] : [];
  const nginx = spawn('nginx', ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf'), ...root]);
  const url = await started(nginx, port, 'SIGTERM');
  const unanswered = async () => {
    const text = await (await fetch(`http://127.0.0.1:${status}/`)).text();
    const [, reading, writing] = /Reading: (\d+) Writing: (\d+)/.exec(text) ?? [];
    // The question itself is one of them.
    return Number(reading) + Number(writing) - 1;
  };
  return { url, unanswered };
}

/** Starts HAProxy with the file of the example. Returns its URL. */
export async function startHaproxy(streamPort: number): Promise<string> {
  const { port } = await stablePorts(['port']);
  const env = { ...process.env, LISTEN: '127.0.0.1', PORT: String(port), ENGINE: `127.0.0.1:${streamPort}`, FILES: FOLDER };
  return started(spawn('haproxy', ['-db', '-f', join(FOLDER, 'haproxy.cfg')], { env }), port, 'SIGTERM');
}

/** Resolves when the proxy accepts connections. Rejects when it ends first. */
async function started(proxy: ChildProcess, port: number, signal: NodeJS.Signals): Promise<string> {
  let output = '';
  for (const from of [proxy.stdout, proxy.stderr]) from?.on('data', (data: Buffer) => (output += data.toString()));
  const exited = once(proxy, 'exit');
  onTestFinished(async () => {
    proxy.kill(signal);
    await exited;
  });
  const failed = exited.then(() => Promise.reject(new Error(`the proxy has ended: ${output}`)));
  await Promise.race([accepts(port), failed]);
  failed.catch(() => {});
  return `http://127.0.0.1:${port}`;
}

async function accepts(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function replaced(text: string, pairs: readonly (readonly [string, string])[]): string {
  return pairs.reduce((all, [from, to]) => {
    if (all.split(from).length !== 2) throw new Error(`the file does not have ${from} once`);
    return all.replace(from, () => to);
  }, text);
}

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-proxy-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
