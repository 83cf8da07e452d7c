import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Config } from '../../config/config.js';
import { type Finding, findingsOf } from './finding.js';

const ANSWER_MS = 2_000;
const { ok, change } = findingsOf('ports');

interface Listener {
  readonly entry: string;
  readonly host: string;
  readonly port: number;
}

/** Returns for each listener whether the engine can open its port, or has done so already. */
export function checkPorts(config: Config): Promise<readonly Finding[]> {
  const listeners: readonly Listener[] = [
    ...config.workerManagers.map(({ host, port }) => ({ entry: 'iii-worker-manager', host, port })),
    ...(config.stream === undefined ? [] : [{ entry: 'iii-stream', ...config.stream }]),
    ...(config.http === undefined ? [] : [{ entry: 'iii-http', ...config.http }]),
    ...(config.admin === undefined ? [] : [{ entry: 'rivulet-admin', ...config.admin }]),
  ];
  return Promise.all(listeners.filter(({ port }) => port !== 0).map(checkPort));
}

async function checkPort(listener: Listener): Promise<Finding> {
  const { entry, host, port } = listener;
  const address = `${host}:${port}`;
  const code = await bindFailure(host, port);
  switch (code) {
    case undefined:
      return ok(`${address} is free for ${entry}`);
    case 'EADDRINUSE':
      return (await isEngine(listener))
        ? ok(`${address} is served by an engine (${entry})`)
        : change(`${address} is in use by another program; stop it, or give ${entry} another port`);
    case 'EACCES':
      return change(`${address} needs a right that this user does not have; give ${entry} a port from 1024`);
    case 'EADDRNOTAVAIL':
      return change(`${host} is no address of this machine; give ${entry} another host`);
    default:
      return change(`${address} cannot be opened (${code}); give ${entry} another host or port`);
  }
}

/** Opens a port and closes it again. Returns the code of the error, or `undefined` if the port is free. */
async function bindFailure(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  try {
    server.listen({ host, port });
    await once(server, 'listening');
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
  server.close();
  await once(server, 'close');
  return undefined;
}

/** Returns whether the port answers as the listener of an engine does. An HTTP listener answers with routes of its own. */
async function isEngine({ entry, host, port }: Listener): Promise<boolean> {
  const path = entry === 'rivulet-admin' ? '/health' : '/';
  try {
    const response = await fetch(`http://${reachable(host)}:${port}${path}`, {
      signal: AbortSignal.timeout(ANSWER_MS),
      redirect: 'manual',
    });
    const text = await response.text();
    if (entry === 'rivulet-admin') return response.ok && text.includes('"status":"ok"');
    return entry === 'iii-http' || text.includes('"engine":"rivulet"');
  } catch {
    // Another program, or a listener that does not answer in time.
    return false;
  }
}

/** Returns an address at which a process of this machine reaches a listener. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
