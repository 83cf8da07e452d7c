import { connect } from '@rivulet/client';
import { type Functions, LIST, type Streams } from '../shared/tasks.js';

const client = connect<Streams, Functions>(import.meta.env['VITE_STREAM_URL'] ?? 'ws://127.0.0.1:3112');
const tasks = client.subscribeGroup('tasks', LIST);

const find = <E extends Element>(selector: string): E => {
  const element = document.querySelector<E>(selector);
  if (element === null) throw new Error(`index.html has no ${selector}`);
  return element;
};
const list = find<HTMLUListElement>('#tasks');
const message = find<HTMLParagraphElement>('#message');
const form = find<HTMLFormElement>('#add');
const input = find<HTMLInputElement>('#add input');

/** Shows the tasks and the state of the view. The client calls it after each change, at most once in 16 ms. */
function show(): void {
  message.textContent = tasks.status === 'live' ? '' : `${tasks.status} …`;
  list.replaceChildren(...tasks.items.map(({ id, data }) => row(id, data)));
}

function row(id: string, { text, done }: Streams['tasks']): HTMLLIElement {
  const item = document.createElement('li');
  item.classList.toggle('done', done);
  const box = Object.assign(document.createElement('input'), { type: 'checkbox', checked: done });
  box.addEventListener('change', () => run(client.call('tasks::finish', { id, done: box.checked })));
  const label = document.createElement('label');
  label.append(box, ` ${text}`);
  const remove = Object.assign(document.createElement('button'), { textContent: 'Remove' });
  remove.addEventListener('click', () => run(client.call('tasks::remove', { id })));
  item.append(label, remove);
  return item;
}

/** The worker writes, and the view shows the change. A refusal has the message of the worker. */
function run(call: Promise<unknown>): void {
  call.then(
    () => show(),
    (error: unknown) => {
      show();
      message.textContent = error instanceof Error ? error.message : String(error);
    },
  );
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  run(client.call('tasks::add', { id: crypto.randomUUID(), text: input.value }));
  form.reset();
});
tasks.subscribe(show);
show();
