// Runs the whole board on this machine: the engine, the worker and the web server. start.mjs runs it after it has installed and built them.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { bundlePage } from './bundle.mjs';
import { EngineProcess } from './engine.mjs';
import { startServer } from './server.mjs';
import { fillBoard, startWorker } from './worker.mjs';

/** Returns a port of this machine: the wanted one, or another one if that is taken. */
async function freePort(wanted) {
  const server = createServer().listen(wanted, '127.0.0.1');
  try {
    await once(server, 'listening');
    return server.address().port;
  } catch {
    return freePort(0);
  } finally {
    server.close();
  }
}

const { PORT = '8080', STREAM_PORT, WORKER_PORT, DATA = fileURLToPath(new URL('data', import.meta.url)) } = process.env;
// Only the web server and the engine know the secret.
const secret = randomBytes(32).toString('hex');
const streamPort = Number(STREAM_PORT ?? (await freePort(3112)));
const workerPort = Number(WORKER_PORT ?? (await freePort(49134)));

const engine = new EngineProcess({ STREAM_PORT: String(streamPort), WORKER_PORT: String(workerPort), JWT_SECRET: secret, DATA });
const script = await bundlePage();
await engine.start();
process.once('exit', () => void engine.end('SIGTERM'));
const worker = startWorker(`ws://127.0.0.1:${workerPort}`);
await fillBoard(worker);
const streamUrl = process.env.STREAM_URL ?? `ws://127.0.0.1:${streamPort}`;
// While the worker is away, pages get no token. So their calls wait in the page, as long as it takes, and not in the engine.
const isReady = () => worker.connectionState.kind === 'open';
const server = await startServer({ port: await freePort(Number(PORT)), secret, streamUrl, script, isReady });
console.log(`board on http://127.0.0.1:${server.address().port}/`);
console.log('kill: kill the engine; start: start it again; Ctrl-C: stop everything');

const COMMANDS = {
  kill: () => engine.end('SIGKILL').then(() => console.log('the engine is dead; change some cards, then write start')),
  start: () => engine.start().then(() => console.log('the engine is back')),
};
createInterface({ input: process.stdin }).on('line', (line) => {
  COMMANDS[line.trim()]?.().catch((error) => console.error(error.message));
});

async function stop() {
  server.closeAllConnections();
  await worker.close();
  await engine.end('SIGTERM');
  process.exit(0);
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void stop());
