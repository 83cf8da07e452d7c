import { registerWorker } from '@rivulet/sdk';
import { registerFunctions } from './functions.js';

const worker = registerWorker(process.env['RIVULET_URL'] ?? 'ws://127.0.0.1:49134', { workerName: 'tasks' });
registerFunctions(worker);
worker.onConnectionState(({ kind }) => console.log(kind));

/** Ends without losing a call that runs. */
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void worker.drain());
