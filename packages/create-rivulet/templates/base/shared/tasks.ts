/** The group of all tasks. A larger application has a group for each list. */
export const LIST = 'all';

export interface Task {
  readonly text: string;
  readonly done: boolean;
}

/** The streams, with the types of their items. */
export interface Streams {
  tasks: Task;
}

/** The functions of the worker that pages can call. The page makes the ids, so that it can show a task before the answer comes. */
export interface Functions {
  'tasks::add': { payload: { id: string; text: string }; result: null };
  'tasks::finish': { payload: { id: string; done: boolean }; result: null };
  'tasks::remove': { payload: { id: string }; result: null };
}
