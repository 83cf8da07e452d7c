import { once } from 'node:events';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { isJsonObject, parseJson, stringField } from '@rivulet/protocol';
import type { Config } from '../../config/config.js';
import { type BuiltWorker, entryName } from '../../config/entry-names.js';
import { type Finding, findingsOf } from './finding.js';

const ANSWER_MS = 2_000;
/** The longest answer that is read. An engine sends less. */
const ANSWER_CHARACTERS = 65_536;
const { ok, note, change } = findingsOf('ports');

interface Answer {
  /** 0 without an answer. */
  readonly status: number;
  readonly text: string;
}

interface Listener {
  readonly worker: BuiltWorker;
  readonly host: string;
  readonly port: number;
  /** Whether the engine warns and starts without this listener when its port is taken. */
  readonly isOptional?: boolean;
}

/** Returns for each listener whether the engine can open its port, or has done so already. */
export function checkPorts(config: Config): Promise<readonly Finding[]> {
  const listeners: readonly Listener[] = [
    ...config.workerManagers.map(({ host, port }) => ({ worker: 'rivulet-worker-manager', host, port }) as const),
    ...(config.stream === undefined ? [] : [{ worker: 'rivulet-stream', ...config.stream } as const]),
    ...(config.http === undefined ? [] : [{ worker: 'rivulet-http', ...config.http } as const]),
    ...(config.admin === undefined ? [] : [{ worker: 'rivulet-admin', ...config.admin, isOptional: config.file === undefined } as const]),
  ];
  return Promise.all(listeners.filter(({ port }) => port !== 0).map((listener) => checkPort(listener, entryName(config, listener.worker))));
}

async function checkPort(listener: Listener, entry: string): Promise<Finding> {
  const { host, port, isOptional = false } = listener;
  const address = `${host}:${port}`;
  const code = await bindFailure(host, port);
  switch (code) {
    case undefined:
      return ok(`${address} is free for ${entry}`);
    case 'EADDRINUSE':
      if (await isEngine(listener)) return ok(`${address} is served by an engine (${entry})`);
      return isOptional
        ? note(
            `${address} is in use by another program, so the engine starts without ${entry}; give it another port in a configuration file`,
          )
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

/** Returns whether the port answers as the listener of an engine does. */
async function isEngine({ worker, host, port }: Listener): Promise<boolean> {
  if (worker === 'rivulet-admin') return isAdminListener(host, port);
  if (worker === 'rivulet-http') return isHttpListener(host, port);
  return (await answerOf(host, port, '/')).text.includes('"engine":"rivulet"');
}

/** Returns whether an admin listener of an engine has the port. Asks without a token, because another program may have the port. */
export async function isAdminListener(host: string, port: number): Promise<boolean> {
  const { status, text } = await answerOf(host, port, '/health');
  const body = parseJson(text);
  return status === 200 && isJsonObject(body) && stringField(body, 'engine') === 'rivulet' && stringField(body, 'status') === 'ok';
}

/** Returns whether an HTTP listener of an engine has the port. Applications choose its routes, but it refuses each WebSocket itself. */
async function isHttpListener(host: string, port: number): Promise<boolean> {
  const { text } = await answerOf(host, port, '/', { connection: 'Upgrade', upgrade: 'websocket' });
  const body = parseJson(text);
  const error = isJsonObject(body) && isJsonObject(body.error) ? body.error : {};
  const message = stringField(error, 'message') ?? '';
  return message.includes('connect WebSockets to the stream port') || /allowed_hosts of (rivulet|iii)-http/.test(message);
}

/** Returns the answer to a `GET`, without the text after the first `ANSWER_CHARACTERS`, or an empty one if none comes in time. */
function answerOf(host: string, port: number, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return new Promise((resolve) => {
    let status = 0;
    let text = '';
    const sent = request(`http://${reachable(host)}:${port}${path}`, { agent: false, headers });
    const end = () => {
      clearTimeout(timer);
      sent.destroy();
      resolve({ status, text });
    };
    const timer = setTimeout(end, ANSWER_MS);
    sent.once('upgrade', (_response, socket) => {
      socket.destroy();
      end();
    });
    sent.once('response', (response) => {
      status = response.statusCode ?? 0;
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.length > ANSWER_CHARACTERS) end();
      });
      response.once('close', end);
    });
    // Another program answers with something that is no HTTP, or closes the connection.
    sent.on('error', end);
    sent.end();
  });
}

/** Returns an address at which a process of this machine reaches a listener. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
