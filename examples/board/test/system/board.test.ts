import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';
import { type Board, startBoard, Visitor } from '../board.js';

/** Returns the number of changes of the cards, which is the offset in their position. */
async function changesOf(board: Board): Promise<number> {
  const worker = await RawWorker.connect(board.workerUrl);
  const list = { stream_name: 'board', group_id: 'main', with_position: true };
  const { position } = (await worker.result('stream::list', list)) as { position: string };
  return Number(position.split(':')[1]);
}

async function twoPeople(): Promise<{ board: Board; ann: Visitor; bob: Visitor }> {
  const board = await startBoard();
  const ann = await Visitor.logIn(board, 'Ann Lee', 'indigo');
  const bob = await Visitor.logIn(board, 'Bob Ray', 'rose');
  return { board, ann, bob };
}

test('one person sees what the other does: moves, new and changed cards, presence and typing', async () => {
  const { ann, bob } = await twoPeople();
  await ann.page.dragAndDrop('[data-card=first-0]', '[data-column=done]', { targetPosition: { x: 60, y: 20 } });
  await ann.sees('done', 'first-0', 'first-5');
  await bob.sees('done', 'first-0', 'first-5');
  await ann.isSaved();

  await bob.page.focus('[data-card=first-5]');
  await bob.page.keyboard.press('Shift+ArrowUp');
  await bob.page.keyboard.press('Shift+ArrowLeft');
  await bob.sees('doing', 'first-5', 'first-3', 'first-4');
  await ann.sees('doing', 'first-5', 'first-3', 'first-4');
  await ann.sees('done', 'first-0');
  // The card is another element in its new column, and has the focus again.
  expect(await bob.page.evaluate(() => document.activeElement?.getAttribute('data-card'))).toBe('first-5');

  await ann.page.click('[data-column=doing] .add');
  await ann.page.fill('[data-column=doing] .editor textarea', '  Buy <b>milk</b>  ');
  await ann.page.keyboard.press('Enter');
  const card = bob.page.locator('[data-column=doing] [data-card]').last();
  await expect.poll(() => card.locator('.title').textContent()).toBe('Buy <b>milk</b>');
  expect(await card.locator('.by').textContent()).toBe('Ann Lee');
  const id = (await card.getAttribute('data-card')) ?? '';
  await bob.edit(id, 'Buy bread');
  await expect.poll(() => ann.titleOf(id)).toBe('Buy bread');
  await ann.isSaved();
  await ann.page.focus(`[data-card="${id}"]`);
  await ann.page.keyboard.press('Delete');
  await ann.sees('doing', 'first-5', 'first-3', 'first-4');
  await bob.sees('doing', 'first-5', 'first-3', 'first-4');

  const names = () => ann.page.locator('.people .avatar').evaluateAll((all) => all.map((avatar) => avatar.getAttribute('aria-label')));
  await expect.poll(names).toEqual(['Ann Lee (you)', 'Bob Ray']);
  await bob.page.dblclick('[data-card=first-2] .title');
  await ann.page.waitForSelector('[data-card=first-2] >> text=Bob Ray edits this card');
  await bob.page.keyboard.type('!');
  await ann.page.waitForSelector('[data-card=first-2] >> text=Bob Ray is typing');
  await bob.page.keyboard.press('Escape');
  await ann.page.waitForFunction(() => document.querySelector('.writer') === null);
  await bob.page.close();
  await expect.poll(names).toEqual(['Ann Lee (you)']);
  await ann.page.click('text=Log out');
  await ann.page.waitForSelector('#name');
  expect([...ann.problems, ...bob.problems]).toEqual([]);
});

test('a title that the worker refuses is shown, goes back, and can be written again', async () => {
  const { board, ann, bob } = await twoPeople();
  const before = await changesOf(board);
  const old = (await ann.titleOf('first-1')) ?? '';
  const long = 'x'.repeat(201);
  const [seenByAnn, seenByBob] = [await ann.recordTitles('first-1'), await bob.recordTitles('first-1')];
  await ann.edit('first-1', long);
  await ann.page.waitForSelector('.toast');
  expect(await ann.page.textContent('.toast p')).toContain('a title has at most 200 characters, and this one has 201');
  expect(await ann.titleOf('first-1')).toBe(old);
  expect(await seenByAnn()).toEqual([old, long, old]);

  await ann.page.click('text=Edit again');
  expect(await ann.page.inputValue('[data-card=first-1] textarea')).toBe(long);
  await ann.page.fill('[data-card=first-1] textarea', 'A short title');
  await ann.page.keyboard.press('Enter');
  await expect.poll(() => bob.titleOf('first-1')).toBe('A short title');
  expect(await seenByBob()).toEqual([old, 'A short title']);

  await ann.page.click('[data-column=todo] .add');
  await ann.page.keyboard.press('Enter');
  await ann.page.waitForSelector('text=a card needs a title');
  await ann.sees('todo', 'first-0', 'first-1', 'first-2');
  expect(await changesOf(board)).toBe(before + 1);
});

test('changes wait while the engine is dead, and take effect once when it is back', async () => {
  const { board, ann, bob } = await twoPeople();
  const before = await changesOf(board);
  board.command('kill');
  await ann.page.waitForSelector('.banner');
  await ann.page.click('[data-card=first-0] [aria-label="Move to Doing"]');
  await ann.edit('first-1', 'Written while offline');
  await ann.page.click('[data-column=done] .add');
  await ann.page.fill('[data-column=done] .editor textarea', 'Added while offline');
  await ann.page.keyboard.press('Enter');
  await ann.sees('doing', 'first-0', 'first-3', 'first-4');
  expect(await ann.page.locator('.pending').count()).toBe(3);
  expect(await ann.page.textContent('.banner')).toContain('3 cards wait here');

  board.command('start');
  await bob.sees('doing', 'first-0', 'first-3', 'first-4');
  await expect.poll(() => bob.titleOf('first-1')).toBe('Written while offline');
  await expect
    .poll(() => bob.page.locator('[data-column=done] [data-card]').last().locator('.title').textContent())
    .toBe('Added while offline');
  await ann.isSaved();
  await ann.page.waitForFunction(() => document.querySelector('.banner') === null);
  expect(await changesOf(board)).toBe(before + 3);
  expect(await ann.page.locator('.toast').count()).toBe(0);
});
