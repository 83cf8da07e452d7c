import type { FunctionRef, StreamBackend, Worker } from './types.js';

/** Registers the five functions with which the engine calls a backend. If one registration fails, it removes the others and throws. */
export function registerBackend<TData>(worker: Worker<unknown, unknown>, name: string, backend: StreamBackend<TData>): void {
  const registered: FunctionRef[] = [];
  const register: Worker<unknown, unknown>['registerFunction'] = (...args) => {
    const ref = worker.registerFunction(...args);
    registered.push(ref);
    return ref;
  };
  try {
    register(`stream::get(${name})`, (input) => backend.get(input));
    register(`stream::set(${name})`, (input) => backend.set(input));
    register(`stream::delete(${name})`, (input) => backend.delete(input));
    register(`stream::list(${name})`, (input) => backend.list(input));
    register(`stream::list_groups(${name})`, (input) => backend.listGroups(input));
  } catch (error) {
    for (const ref of registered) ref.unregister();
    throw error;
  }
}
