import { expect, test } from 'vitest';
import { renderToString } from 'vue/server-renderer';
import { startChatEngine } from '../chat-engine.js';
import { openFramework, sentBy, showsRooms, testPresenceAndCalls, testRooms } from '../framework-run.js';
import { serverApp } from '../pages/vue-page.js';

testRooms('vue', (client, initial) => renderToString(serverApp(client, initial)));
testPresenceAndCalls('vue');

test('Vue never renders the items of the old group in the new one, and joins no group that it shows for less than a turn', async () => {
  const { streamUrl, set } = await startChatEngine();
  await set('r1', 'm1', 'one');
  await set('r2', 'm1', 'other');
  const { tab, problems } = await openFramework('vue', streamUrl);
  await tab.evaluate(() => window.rooms.show(window.tap.client));
  await showsRooms(tab, 'r1 live one | one', 'r1 live one | one');
  await tab.evaluate(() => {
    window.rooms.rendered.length = 0;
    window.rooms.turnTo('r2');
  });
  await showsRooms(tab, 'r2 live other | other', 'r2 live other | other');
  expect(await tab.evaluate(() => window.rooms.rendered.filter((line) => line.startsWith('r2') && line.includes('one')))).toEqual([]);
  await tab.evaluate(() => {
    for (const name of ['r1', 'r2', 'r3', 'r2']) window.rooms.turnTo(name);
    window.rooms.showRooms(false);
  });
  await showsRooms(tab);
  await expect
    .poll(() => sentBy(tab))
    .toEqual(['join r1', 'join r1 m1', 'leave r1', 'leave r1 m1', 'join r2', 'join r2 m1', 'leave r2', 'leave r2 m1']);
  expect(problems).toEqual([]);
});
