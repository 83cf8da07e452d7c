import type { ISdk } from '@rivulet/sdk';
import { registerPeople } from './people.js';
import { registerTasks } from './tasks.js';

/** Registers everything that this worker does. The tests call it too. */
export function registerFunctions(worker: ISdk): void {
  registerTasks(worker);
  registerPeople(worker);
}
