import { type FunctionCaller, InvocationError, type ISdk, stream } from '@rivulet/sdk';
import { LIST, type Task } from '../shared/tasks.js';

const MOST_TEXT = 200;

/** Registers the functions that pages call. A page can send any payload, so each function checks what it gets. */
export function registerTasks(worker: ISdk): void {
  const tasks = stream<Task>(worker);

  worker.registerFunction('tasks::add', async ({ id, text }, _metadata, { caller }) => {
    const task: Task = { text: readText(text), done: false };
    await tasks.set('tasks', LIST, readId(id), task, { idempotencyKey: keyOf(caller) });
  });

  worker.registerFunction('tasks::finish', async ({ id, done }) => {
    const { data, version } = await tasks.getVersioned('tasks', LIST, readId(id));
    if (data === null || version === null) return refuse('TASK_GONE', 'somebody has removed this task');
    const answer = await tasks.set('tasks', LIST, id, { ...data, done: done === true }, { ifVersion: version });
    return 'conflict' in answer ? refuse('TASK_CHANGED', 'somebody has changed this task; try again') : undefined;
  });

  worker.registerFunction('tasks::remove', async ({ id }, _metadata, { caller }) => {
    await tasks.delete('tasks', LIST, readId(id), { idempotencyKey: keyOf(caller) });
  });
}

/** A repeated call has the same key. The engine writes once for each key. */
function keyOf(caller: FunctionCaller): string | undefined {
  return caller.kind === 'page' ? caller.idempotency_key : undefined;
}

function readId(id: unknown): string {
  return typeof id === 'string' && /^[\w-]{1,64}$/.test(id) ? id : refuse('ID_WRONG', 'an id has 1 to 64 letters, digits, _ and -');
}

function readText(text: unknown): string {
  const trimmed = typeof text === 'string' ? text.trim() : '';
  if (trimmed === '') return refuse('TEXT_EMPTY', 'a task needs a text');
  return trimmed.length <= MOST_TEXT ? trimmed : refuse('TEXT_TOO_LONG', `a text has at most ${MOST_TEXT} characters`);
}

/** The page gets this code and this message. It gets neither of any other error. */
function refuse(code: string, message: string): never {
  throw new InvocationError({ code, message });
}
