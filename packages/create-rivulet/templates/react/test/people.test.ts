import { afterEach, beforeEach, expect, test } from 'vitest';
import { personOf, tokenOf } from '../shared/people.js';
import { LIST } from '../shared/tasks.js';
import { TestApp } from './app.js';

let app: TestApp;
beforeEach(async () => {
  app = await TestApp.start();
});
afterEach(() => app.stop());

test('a person is here until the page closes', async () => {
  const watcher = app.connect({ id: 'bob', name: 'Bob' });
  const here = watcher.subscribeGroup('here', LIST);
  await here.whenLive();

  const ann = app.connect({ id: 'ann', name: 'Ann' });
  await ann.subscribeGroup('here', LIST).whenLive();
  await app.rivulet.settled();
  expect(here.get('ann')?.data).toEqual({ name: 'Ann' });

  await ann.close();
  await expect.poll(() => here.get('ann')).toBeUndefined();
});

test('a text that is no token names nobody', () => {
  expect(personOf(tokenOf({ id: 'ann', name: 'Änn & Co' }))).toEqual({ id: 'ann', name: 'Änn & Co' });
  expect(personOf('')).toBeUndefined();
  expect(personOf('ann.%')).toBeUndefined();
});
