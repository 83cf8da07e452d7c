import { expect, it } from 'vitest';
import { type Progress, TaskQueue } from '../../src/store/lmdb/maintenance/task-queue.js';

type Task = 'expire' | 'sweep';

async function run(queue: TaskQueue<Task>, progress: Progress): Promise<Task | undefined> {
  let ran: Task | undefined;
  await queue.runNext((task) => {
    ran = task;
    return Promise.resolve(progress);
  });
  return ran;
}

it('an idle queue runs nothing', async () => {
  const queue = new TaskQueue<Task>();
  expect([queue.isEmpty, await run(queue, 'done')]).toEqual([true, undefined]);
});

it('a task that is due twice runs once', async () => {
  const queue = new TaskQueue<Task>();
  queue.add('sweep');
  queue.add('sweep');
  expect([await run(queue, 'done'), await run(queue, 'done')]).toEqual(['sweep', undefined]);
});

it('a task with more to do goes behind the others', async () => {
  const queue = new TaskQueue<Task>();
  queue.add('sweep');
  queue.add('expire');
  expect([await run(queue, 'more'), await run(queue, 'done'), await run(queue, 'done'), queue.isEmpty]).toEqual([
    'sweep',
    'expire',
    'sweep',
    true,
  ]);
});

it('a task that becomes due while it runs is due again', async () => {
  const queue = new TaskQueue<Task>();
  queue.add('expire');
  await queue.runNext((task) => {
    queue.add(task);
    return Promise.resolve('done');
  });
  expect(queue.has('expire')).toBe(true);
});

it('a task that fails is idle', async () => {
  const queue = new TaskQueue<Task>();
  queue.add('expire');
  await expect(queue.runNext(() => Promise.reject(new Error('disk')))).rejects.toThrow('disk');
  expect(queue.isEmpty).toBe(true);
});
