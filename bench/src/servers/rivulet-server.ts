import { loadConfig, type StreamConfig, startEngine } from '@rivulet/engine';
import { answerLines } from './answer-lines.js';
import { watchLoop } from './loop-delay.js';
import { serverOptions } from './server-options.js';

// The engine as `npm start` runs it. Only the ports, the store of the scenario, and bounds that admit the whole load differ.
const { directory, redis, ports, watchesLoop = false } = serverOptions();
const loopDelay = watchesLoop ? watchLoop() : undefined;
const defaults = loadConfig({ cwd: '/', env: {}, lenient: false });
const [worker] = defaults.workerManagers;
const { stream, state, http, admin } = defaults;
if (worker === undefined || stream === undefined || state === undefined || http === undefined)
  throw new Error('the defaults lack something');
const engine = await startEngine({
  ...defaults,
  workerManagers: [{ ...worker, port: ports?.worker ?? 0 }],
  stream: { ...stream, port: ports?.stream ?? 0, adapter: adapter() },
  state: { ...state, adapter: { kind: 'memory' } },
  http: { ...http, port: 0 },
  admin: admin === undefined ? undefined : { ...admin, port: 0 },
});
const port = (name: string) => engine.listeners.find((listener) => listener.name === name)?.port;
const url = (scheme: string, name: string) => `${scheme}://127.0.0.1:${port(name)}/`;
const addresses = { write: url('ws', 'worker'), watch: url('ws', 'stream'), http: url('http', 'http'), admin: url('http', 'admin') };
process.stdout.write(`${JSON.stringify(addresses)}\n`);
answerLines({ figures: () => engine.figures(), memory: () => process.memoryUsage(), 'loop-delay': () => loopDelay?.() });

function adapter(): StreamConfig['adapter'] {
  if (redis !== undefined)
    return { kind: 'redis', url: redis, keyPrefix: 'rivulet:streams', commandTimeoutMs: 2_000, connectTimeoutMs: 5_000 };
  if (directory === undefined) return { kind: 'memory' };
  return { kind: 'lmdb', path: directory, durability: 'commit', saveIntervalMs: 5_000 };
}
