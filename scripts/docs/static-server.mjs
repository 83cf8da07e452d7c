import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { gzipSync } from 'node:zlib';

/** @type {Readonly<Record<string, string>>} */
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.json': 'application/json',
};

/**
 * Serves a built site on loopback, with compressed answers, as a web server does.
 *
 * @param {string} folder
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function serveFolder(folder) {
  /** @type {Map<string, Promise<{ status: number, type: string, body: Buffer }>>} */
  const answers = new Map();
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    const answer = answers.get(path) ?? answerTo(folder, path);
    answers.set(path, answer);
    answer.then(
      ({ status, type, body }) =>
        response.writeHead(status, { 'content-type': type, ...(type === 'image/png' ? {} : { 'content-encoding': 'gzip' }) }).end(body),
      (error) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** @param {string} folder @param {string} path */
async function answerTo(folder, path) {
  const name = normalize(path.endsWith('/') ? `${path}index.html` : extname(path) === '' ? `${path}.html` : path);
  const found = await readFile(join(folder, name)).catch(() => undefined);
  const type = found === undefined ? 'text/html; charset=utf-8' : (TYPES[extname(name)] ?? 'application/octet-stream');
  const body = found ?? (await readFile(join(folder, '404.html')));
  return { status: found === undefined ? 404 : 200, type, body: type === 'image/png' ? body : gzipSync(body) };
}
