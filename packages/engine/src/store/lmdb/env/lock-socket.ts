import { chmodSync, closeSync, openSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { Probe } from './lock-protocol.js';

/** Longest path of a socket that every system takes, in bytes. Linux takes 107. */
const PATH_BYTES = 100;

/** A socket in a directory. It accepts connections from its making until `close`, and only until the process ends. */
export interface HolderSocket {
  close(): void;
}

/**
 * Listens on a socket. Returns `undefined` where the file system has no sockets. The kernel accepts connections on behalf of the process,
 * so they succeed even while the process is frozen.
 */
export async function listen(directory: string, name: string): Promise<HolderSocket | undefined> {
  const path = shortPath(directory, name);
  const server = createServer((peer) => peer.destroy());
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path: path.name, exclusive: true }, resolve);
    });
  } catch (error) {
    if (hasNoSockets(error)) return undefined;
    throw error;
  } finally {
    path.close();
  }
  // A failure to accept, as without file descriptors, changes nothing: the kernel keeps the connections.
  server.on('error', () => {});
  server.unref();
  chmodSync(join(directory, name), 0o600);
  return { close: () => closeServer(server) };
}

/** Returns whether a process listens on a socket. */
export async function probe(directory: string, name: string): Promise<Probe> {
  const path = shortPath(directory, name);
  try {
    return await new Promise<Probe>((resolve) => {
      const socket = connect({ path: path.name });
      socket.once('connect', () => resolve('alive'));
      socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(failedProbe(code)));
      socket.once('connect', () => socket.destroy());
    });
  } finally {
    path.close();
  }
}

/** Returns what a failed connection says about the process that has made the socket. */
export function failedProbe(code: string | undefined): Probe {
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return 'dead';
  // A frozen process accepts nothing, so that its queue of connections is full. A holder closes each connection at once, and Bun reports
  // that one as reset that was closed before it saw the connection.
  return code === 'EAGAIN' || code === 'ECONNRESET' ? 'alive' : 'unclear';
}

function closeServer(server: Server): void {
  server.close(() => {});
}

function hasNoSockets(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EPERM' || code === 'EOPNOTSUPP' || code === 'ENOTSUP' || code === 'ENOSYS' || code === 'EINVAL';
}

/** Returns a path of the socket that fits into an address. Linux reaches the directory by a file descriptor. */
function shortPath(directory: string, name: string): { readonly name: string; close(): void } {
  const path = join(directory, name);
  if (Buffer.byteLength(path) <= PATH_BYTES || process.platform !== 'linux') return { name: path, close: () => {} };
  const descriptor = openSync(directory, 'r');
  return { name: `/proc/self/fd/${descriptor}/${name}`, close: () => closeSync(descriptor) };
}
