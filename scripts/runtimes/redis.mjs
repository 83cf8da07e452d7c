import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './smoke/engine.mjs';

/**
 * Starts a Redis that stores nothing on disk. Resolves with `undefined` when this machine has no redis-server.
 *
 * @returns {Promise<{ url: string, stop: () => Promise<void> } | undefined>}
 */
export async function startRedis() {
  const { worker: port } = await freePorts();
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-redis-'));
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'];
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => child.once('close', resolve).once('error', resolve));
  const started = await new Promise((resolve) => {
    let output = '';
    child.once('error', () => resolve(false));
    child.once('close', () => resolve(false));
    child.stdout.on('data', (data) => {
      output += String(data);
      if (output.includes('Ready to accept connections')) resolve(true);
    });
  });
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  if (started) return { url: `redis://127.0.0.1:${port}`, stop };
  await stop();
  return undefined;
}
