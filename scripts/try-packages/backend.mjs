import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { install } from './packages.mjs';

/** @import { Packed } from './packages.mjs' */

/**
 * An engine with a worker, both from the installed packages.
 *
 * @typedef {{ streamUrl: string, note: (group: string, text: string) => Promise<unknown>, stop: () => Promise<void> }} Backend
 */

/**
 * Starts the engine for all trials. A page calls `notes::add`, and sees the notes of its group. The page chooses the id.
 *
 * @param {Packed} packed
 * @returns {Promise<Backend>}
 */
export async function startBackend(packed) {
  const ours = ['@rivulet/protocol', '@rivulet/client', '@rivulet/sdk', '@rivulet/engine'];
  const folder = await install(packed, 'backend', { ours });
  const { resolve } = createRequire(join(folder, 'package.json'));
  const load = async (/** @type {string} */ name) => import(pathToFileURL(resolve(name).replace(/\/cjs\/(\w+)\.cjs$/, '/dist/$1.js')).href);
  const [{ startTestEngine }, { registerWorker, stream }] = [await load('@rivulet/sdk/testing'), await load('@rivulet/sdk')];
  const rivulet = await startTestEngine({ streams: { expose_functions: ['match("notes::*")'] } });
  const worker = registerWorker(rivulet.workerUrl);
  let notes = 0;
  const note = (/** @type {string} */ group, /** @type {string} */ text) => stream(worker).set('notes', group, `n${++notes}`, { text });
  const add = (/** @type {{ group: string, id: string, text: string }} */ { group, id, text }) =>
    stream(worker).set('notes', group, id, { text });
  worker.registerFunction('notes::add', add);
  await rivulet.settled();
  return {
    streamUrl: rivulet.streamUrl,
    note,
    stop: async () => {
      await worker.shutdown();
      await rivulet.stop();
    },
  };
}
