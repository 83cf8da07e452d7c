import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';

/** Name of the socket in the data directory. */
export const SOCKET_NAME = 'rivulet.sock';
/** The longest path of a Unix socket that every system accepts, in bytes. */
const MOST_PATH_BYTES = 100;

/** A path by which the socket of a directory can be bound or reached. Call `close` when the socket is closed. */
export interface SocketPath {
  readonly path: string;
  close(): void;
}

/** Returns the path of the socket in a directory. A long one is reached through a descriptor of the directory, on Linux only. */
export function socketPathIn(directory: string): SocketPath {
  const path = join(directory, SOCKET_NAME);
  if (Buffer.byteLength(path) <= MOST_PATH_BYTES || process.platform !== 'linux') return { path, close: () => {} };
  const descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  return { path: `/proc/self/fd/${descriptor}/${SOCKET_NAME}`, close: () => closeSync(descriptor) };
}
