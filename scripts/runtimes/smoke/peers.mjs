import { connect } from '@rivulet/client';
import { http, registerWorker, stream } from '@rivulet/sdk';
import { WebSocket } from 'ws';

/** @import { SmokeEngine } from './engine.mjs' */

/** A token that the auth function of the smoke run admits. */
export const TOKEN = 'smoke-token';

/** The worker and the stream client of a smoke run. Both live through a kill of the engine. */
export class Peers {
  /** @param {SmokeEngine} engine */
  constructor(engine) {
    this.worker = registerWorker(engine.workerUrl, { reconnectionConfig: { initialDelayMs: 50, maxDelayMs: 200 } });
    this.caller = registerWorker(engine.workerUrl, { reconnectionConfig: { initialDelayMs: 50, maxDelayMs: 200 } });
    this.streams = stream(this.caller);
    this.client = connect(engine.streamUrl, { WebSocket, token: TOKEN });
    /** Calls of `smoke::count` that have run, by their texts. @type {string[]} */
    this.counted = [];
    const { worker } = this;
    worker.registerFunction('smoke::auth', ({ query_params: query, headers }) => {
      const offered = query.token?.[0] ?? headers['sec-websocket-protocol']?.split(',')[1]?.trim() ?? headers.authorization?.slice(7);
      return offered === TOKEN ? { identity: 'smoke' } : { unauthorized: true };
    });
    worker.registerFunction('smoke::echo', (input) => ({ text: input.text }));
    worker.registerFunction('smoke::fail', () => {
      throw Object.assign(new Error('not yours'), { code: 'NOT_OWNER' });
    });
    worker.registerFunction('smoke::count', ({ text }) => {
      this.counted.push(text);
      return { count: this.counted.length };
    });
    worker.registerFunction('smoke::read', async ({ reader }) => ({ bytes: (await reader.readAll()).length }));
    worker.registerFunction('smoke::json', ({ path_params: { name }, body }) => ({ status_code: 201, body: { name, body } }));
    worker.registerTrigger({ type: 'http', function_id: 'smoke::json', config: { api_path: '/json/:name', http_method: 'POST' } });
    worker.registerFunction(
      'smoke::flow',
      http(async (_request, response) => {
        response.status(200);
        response.headers({ 'content-type': 'text/plain' });
        for (let line = 0; line < 100; line++) response.stream.write(`line ${line}\n`);
        response.close();
      }),
    );
    worker.registerTrigger({ type: 'http', function_id: 'smoke::flow', config: { api_path: '/flow' } });
  }

  /** Resolves when the functions of the worker can be called. */
  async ready() {
    for (;;) {
      const functions = await this.caller.listFunctions();
      if (functions.some(({ function_id: id }) => id === 'smoke::flow')) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async close() {
    await this.client.close();
    await Promise.all([this.worker.shutdown(), this.caller.shutdown()]);
  }
}

/**
 * Resolves when a condition holds. The bound of the check ends a wait that never ends.
 *
 * @param {() => boolean | Promise<boolean>} condition
 */
export async function until(condition) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}
