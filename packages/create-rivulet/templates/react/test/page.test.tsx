// @vitest-environment happy-dom
import { createRoot, type Root } from 'react-dom/client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { App } from '../page/App.js';
import type { Person } from '../shared/people.js';
import { TestApp } from './app.js';

let app: TestApp;
let roots: Root[] = [];
beforeEach(async () => {
  app = await TestApp.start();
});
afterEach(async () => {
  for (const root of roots) root.unmount();
  roots = [];
  await app.stop();
});

/** Renders the page of a person, beside those of others. */
function open(me: Person): HTMLElement {
  const element = document.body.appendChild(document.createElement('div'));
  const root = createRoot(element);
  root.render(<App client={app.connect(me)} me={me} />);
  roots.push(root);
  return element;
}

const find = <E extends HTMLElement>(page: HTMLElement, selector: string): E => {
  const element = page.querySelector<E>(selector);
  if (element === null) throw new Error(`the page has no ${selector}`);
  return element;
};

function add(page: HTMLElement, text: string): void {
  find<HTMLInputElement>(page, 'input[name=text]').value = text;
  find<HTMLFormElement>(page, 'form').requestSubmit();
}

test('two people see each other, and a task of one of them', async () => {
  const [ann, bob] = [open({ id: 'ann', name: 'Ann' }), open({ id: 'bob', name: 'Bob' })];
  await expect.poll(() => ann.textContent).toContain('Here: Ann (you), Bob');
  await expect.poll(() => bob.textContent).toContain('Here: Bob (you), Ann');

  add(ann, 'write a test');
  await expect.poll(() => bob.textContent).toContain('write a test');
  await expect.poll(() => ann.querySelector('li.pending')).toBeNull();
});

test('a task that the worker refuses disappears, and the page says why', async () => {
  const ann = open({ id: 'ann', name: 'Ann' });
  await expect.poll(() => find(ann, '[role=status]').textContent).toBe('');

  add(ann, 'x'.repeat(201));
  await expect.poll(() => find(ann, '[role=status]').textContent).toBe('a text has at most 200 characters');
  await expect.poll(() => ann.querySelectorAll('li').length).toBe(0);
});
