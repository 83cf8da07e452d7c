import { openWebSocket } from '@rivulet/client/connection';
import { httpHandler } from './api/http.js';
import { logThrough } from './api/logger.js';
import type { InitOptions, Worker } from './api/types.js';
import { ChannelReader, ChannelWriter } from './channels/web-channel.js';
import type { Platform } from './worker/platform.js';
import { newUuid } from './worker/uuid.js';
import { WorkerCore } from './worker/worker-core.js';

export * from './exports.js';
export { ChannelReader, ChannelWriter };

export type ISdk = Worker<ChannelReader, ChannelWriter>;

const NAME_DIGITS = 8;
/** A browser can't ping. The engine pings, and the browser answers by itself. */
const NO_KEEP_ALIVE = undefined;

const BROWSER: Platform<ChannelReader, ChannelWriter> = {
  runtime: 'browser',
  os: globalThis.navigator?.userAgent ?? 'unknown',
  pid: undefined,
  defaultName: () => `browser:${newUuid().slice(0, NAME_DIGITS)}`,
  openSocket: () => openWebSocket,
  keepAlive: NO_KEEP_ALIVE,
  openReader: (url, ref) => new ChannelReader(url, ref),
  openWriter: (url, ref) => new ChannelWriter(url, ref),
};

/**
 * Makes a page a worker. It connects at once, and again after each lost connection. A page can't send headers, so credentials go into the
 * query of `address`, such as `ws://host:49135?api_key=…`. Throws `INVALID_ARGUMENTS` for a wrong address or option.
 */
export function registerWorker(address: string, options?: InitOptions): ISdk {
  const worker = new WorkerCore(address, options ?? {}, BROWSER);
  logThrough(worker);
  return worker;
}

export const http = httpHandler<ChannelReader, WritableStream<Uint8Array>>;
