import type { StreamBackend, Worker } from './types.js';

/** Registers the five functions by which the engine asks a backend. */
export function registerBackend<TData>(worker: Worker<unknown, unknown>, name: string, backend: StreamBackend<TData>): void {
  worker.registerFunction(`stream::get(${name})`, (input) => backend.get(input));
  worker.registerFunction(`stream::set(${name})`, (input) => backend.set(input));
  worker.registerFunction(`stream::delete(${name})`, (input) => backend.delete(input));
  worker.registerFunction(`stream::list(${name})`, (input) => backend.list(input));
  worker.registerFunction(`stream::list_groups(${name})`, (input) => backend.listGroups(input));
}
