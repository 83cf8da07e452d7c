import { parentPort } from 'node:worker_threads';
import type { EngineModule } from './engine-module.js';
import { TestEngineError } from './errors.js';
import { HostedEngine } from './hosted-engine.js';
import type { FromThread, Started, ToThread } from './messages.js';

// The thread that runs the engines of a test process. Fake timers and module mocks of a test runner do not reach it.

/** The compiler must not look for the engine: it depends on this package. */
const ENGINE: string = '@rivulet/engine';
/** Milliseconds without an engine after which the thread may end. The next test of the same file begins sooner. */
const IDLE_MS = 1_000;

const engines = new Map<number, HostedEngine>();
let idle: NodeJS.Timeout | undefined;

function send(message: FromThread): void {
  parentPort?.postMessage(message);
}

async function loadEngine(): Promise<EngineModule> {
  try {
    return (await import(ENGINE)) as EngineModule;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ERR_MODULE_NOT_FOUND' || !(error as Error).message.includes(ENGINE)) throw error;
    const remedy = `run \`npm install --save-dev ${ENGINE}\``;
    throw new TestEngineError('ENGINE_NOT_INSTALLED', `@rivulet/sdk/testing runs the package ${ENGINE}, which is not installed; ${remedy}`);
  }
}

async function handle(message: ToThread): Promise<Started | undefined> {
  const { engine: number } = message;
  if (message.kind === 'start') {
    clearTimeout(idle);
    const engine = await HostedEngine.start(await loadEngine(), message.options, (line) => send({ kind: 'log', engine: number, line }));
    engines.set(number, engine);
    return engine.started;
  }
  const engine = engines.get(number);
  if (engine === undefined) throw new TestEngineError('STOPPED', 'the engine was stopped');
  switch (message.kind) {
    case 'advance':
      await engine.advance(message.milliseconds);
      return undefined;
    case 'settle':
      await engine.settle();
      return undefined;
    case 'stop':
      engines.delete(number);
      await engine.stop();
      if (engines.size === 0) idle = setTimeout(() => send({ kind: 'idle' }), IDLE_MS);
      return undefined;
    default:
      return message satisfies never;
  }
}

parentPort?.on('message', (message: ToThread) => {
  const { id } = message;
  handle(message).then(
    (value) => send({ kind: 'done', id, value }),
    (error: unknown) => {
      const code = error instanceof TestEngineError ? error.code : 'ENGINE_FAILED';
      send({ kind: 'failed', id, code, message: error instanceof Error ? error.message : String(error) });
    },
  );
});
