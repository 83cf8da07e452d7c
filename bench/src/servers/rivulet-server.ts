import { loadConfig, startEngine } from '@rivulet/engine';
import { answerLines } from './answer-lines.js';

// The engine as `npm start` runs it, except for free ports, the store that the scenario asks for, and bounds that admit the whole load.
const directory = process.argv[2] ?? '';
const defaults = loadConfig({ cwd: '/', env: {}, lenient: false });
const [worker] = defaults.workerManagers;
if (worker === undefined || defaults.stream === undefined) throw new Error('the defaults have no listeners');
const adapter =
  directory === ''
    ? ({ kind: 'memory' } as const)
    : ({ kind: 'lmdb', path: directory, durability: 'commit', saveIntervalMs: 5_000 } as const);
const engine = await startEngine({
  ...defaults,
  workerManagers: [{ ...worker, port: 0 }],
  stream: { ...defaults.stream, port: 0, adapter },
});
const port = (name: string) => engine.listeners.find((listener) => listener.name === name)?.port;
process.stdout.write(`${JSON.stringify({ write: `ws://127.0.0.1:${port('worker')}/`, watch: `ws://127.0.0.1:${port('stream')}/` })}\n`);
answerLines({ figures: () => engine.figures() });
