import { arch, hostname, platform, release } from 'node:os';
import { pingKeepAlive } from '@rivulet/client/connection';
import { httpHandler } from '../api/http.js';
import { logThrough } from '../api/logger.js';
import type { InitOptions, Worker } from '../api/types.js';
import { ChannelReader, ChannelWriter } from '../channels/node-channel.js';
import type { Platform } from '../worker/platform.js';
import { WorkerCore } from '../worker/worker-core.js';
import { narrated } from './narrated-socket.js';
import { openNodeSocket } from './node-socket.js';

export type ISdk = Worker<ChannelReader, ChannelWriter>;

/** The same times as those of the official SDK and of the other peers of the engine. */
const KEEP_ALIVE = pingKeepAlive({ everyMs: 20_000, silentMs: 60_000 });

const NODE: Platform<ChannelReader, ChannelWriter> = {
  runtime: 'node',
  os: `${platform()} ${release()} (${arch()})`,
  pid: process.pid,
  defaultName: () => `${hostname()}:${process.pid}`,
  openSocket: openNodeSocket,
  narrated,
  keepAlive: KEEP_ALIVE,
  openReader: (url, ref) => new ChannelReader(url, ref),
  openWriter: (url, ref) => new ChannelWriter(url, ref),
};

/**
 * Makes this process a worker. It connects at once, and again after each lost connection. `address` is the `ws:` or `wss:` URL of the
 * worker port of the engine. Throws `INVALID_ARGUMENTS` for a wrong address or option.
 */
export function registerWorker(address: string, options?: InitOptions): ISdk {
  const worker = new WorkerCore(address, options ?? {}, NODE);
  logThrough(worker);
  return worker;
}

export const http = httpHandler<ChannelReader, NodeJS.WritableStream>;
