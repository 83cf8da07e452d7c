import { afterEach, beforeEach, expect, test } from 'vitest';
import { LIST } from '../shared/tasks.js';
import { TestApp } from './app.js';

let app: TestApp;
beforeEach(async () => {
  app = await TestApp.start();
});
afterEach(() => app.stop());

test('every page sees a task that one of them adds, finishes and removes', async () => {
  const [ann, bob] = [app.connect(), app.connect()];
  const tasks = bob.subscribeGroup('tasks', LIST);
  await tasks.whenLive();

  await ann.call('tasks::add', { id: 't1', text: ' write a test ' });
  await app.rivulet.settled();
  expect(tasks.items.map(({ data }) => data)).toEqual([{ text: 'write a test', done: false }]);

  await ann.call('tasks::finish', { id: 't1', done: true });
  await app.rivulet.settled();
  expect(tasks.get('t1')?.data).toEqual({ text: 'write a test', done: true });

  await ann.call('tasks::remove', { id: 't1' });
  await app.rivulet.settled();
  expect(tasks.size).toBe(0);
});

test('the worker refuses a task without a text', async () => {
  const page = app.connect();
  await expect(page.call('tasks::add', { id: 't1', text: ' ' })).rejects.toMatchObject({ code: 'TEXT_EMPTY' });
});

test('a task that does not exist can not be finished', async () => {
  const page = app.connect();
  await expect(page.call('tasks::finish', { id: 'no-such-task', done: true })).rejects.toMatchObject({ code: 'TASK_GONE' });
});
