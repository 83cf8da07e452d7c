import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ENGINE = new URL('../../dist/', import.meta.url);

/** Returns the loaded files of `@redis/client` after a process has imported a built file of the engine. */
async function redisFilesAfter(file: string): Promise<readonly string[]> {
  const script = `
    import { createRequire } from 'node:module';
    const { openClient } = await import(${JSON.stringify(new URL(file, ENGINE).href)});
    await openClient?.('redis://127.0.0.1:1', 1_000).catch(() => {});
    const { cache } = createRequire(import.meta.url);
    process.stdout.write(JSON.stringify(Object.keys(cache).filter((path) => path.includes('/@redis/client/'))));`;
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { cwd: fileURLToPath(ENGINE) });
  return JSON.parse((await run).stdout) as string[];
}

test('an engine loads the Redis library at its first connection to a Redis, and starts without it', async () => {
  expect(await redisFilesAfter('index.js')).toEqual([]);
  expect(await redisFilesAfter('store/redis/connection/redis-client.js')).not.toEqual([]);
});
