import { createInterface } from 'node:readline';
import { connect } from '@rivulet/client';
import { registerWorker, stream } from '@rivulet/sdk';
import { WebSocket } from 'ws';

// A worker and a stream client of one version. The scenario copies this file beside the packages of that version, starts it with the
// addresses of an engine, and sends a command in each line: { id, command, args }. The answer is a line { id, result } or { id, error }.
// Both peers live through the restarts of their engine.

const [workerUrl = '', streamUrl = '', name = ''] = process.argv.slice(2);
const reconnection = { initialDelayMs: 50, maxDelayMs: 200 };
const worker = registerWorker(workerUrl, { workerName: name, reconnectionConfig: reconnection });
const caller = registerWorker(workerUrl, { workerName: `${name}-caller`, reconnectionConfig: reconnection });
const streams = stream(caller);
const client = connect(streamUrl, { WebSocket });

let runs = 0;
worker.registerFunction(`${name}::count`, () => ({ runs: ++runs }));

/** @type {Map<string, { view: any, seen: string[] }>} */
const views = new Map();

/** @param {() => boolean | Promise<boolean>} condition */
async function until(condition) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** @type {Readonly<Record<string, (...args: any[]) => Promise<unknown>>>} */
const COMMANDS = {
  /** Resolves when both workers are connected and the function of this peer can be called. */
  ready: async () => {
    const isListed = async () => (await caller.listFunctions().catch(() => [])).some((each) => each.function_id === `${name}::count`);
    await until(isListed);
    return null;
  },
  set: (streamName, group, id, data, options) => streams.set(streamName, group, id, data, options),
  delete: (streamName, group, id) => streams.delete(streamName, group, id),
  list: (streamName, group) => streams.list(streamName, group),
  setState: (scope, key, value) => caller.trigger({ function_id: 'state::set', payload: { scope, key, value } }),
  getState: (scope, key) => caller.trigger({ function_id: 'state::get', payload: { scope, key } }),
  /** Calls a function over the stream connection, as pages do. */
  call: (functionId, idempotencyKey) => client.call(functionId, {}, { idempotencyKey }),
  /** Opens a view and keeps each change and each reset. */
  watch: async (streamName, group) => {
    /** @type {string[]} */
    const seen = [];
    const view = client.subscribeGroup(streamName, group, {
      onChange: (/** @type {any} */ { type, id, offset }) => seen.push(`${type} ${id} ${offset}`),
      onReset: (/** @type {any} */ { reason }) => seen.push(`reset ${reason}`),
    });
    views.set(`${streamName}/${group}`, { view, seen });
    await view.whenLive();
    return null;
  },
  /** Returns what a view has shown, as soon as it has seen a number of changes. */
  seen: async (streamName, group, changes) => {
    const { view, seen } = views.get(`${streamName}/${group}`) ?? { view: undefined, seen: [] };
    await until(() => view.status === 'live' && seen.filter((line) => !line.startsWith('reset')).length >= changes);
    return { seen, position: view.position, ids: view.items.map((/** @type {any} */ { id }) => id) };
  },
  runs: () => Promise.resolve(runs),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, command, args } = JSON.parse(line);
  const answer = (/** @type {object} */ fields) => process.stdout.write(`${JSON.stringify({ id, ...fields })}\n`);
  Promise.resolve(COMMANDS[command]?.(...args)).then(
    (result) => answer({ result: result ?? null }),
    (error) => answer({ error: `${error.code ?? error.name}: ${error.message}` }),
  );
}
await client.close();
await Promise.all([worker.shutdown(), caller.shutdown()]);
process.exit(0);
