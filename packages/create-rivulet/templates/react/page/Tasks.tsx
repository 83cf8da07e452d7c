import { useCall, useStreamGroup } from '@rivulet/client/react';
import { type Functions, LIST, type Task } from '../shared/tasks.js';
import { formText } from './form-text.js';

type Payload<Name extends keyof Functions> = Functions[Name]['payload'];

/** The tasks. Each change is on the page at once, as `pending` until the worker has confirmed it. When the worker refuses, it goes back. */
export function Tasks({ onTyping }: { readonly onTyping: (isTyping: boolean) => void }) {
  const { items, status } = useStreamGroup<Task>('tasks', LIST);
  const add = useCall<null, Payload<'tasks::add'>>('tasks::add', {
    optimistic: (draft, { id, text }) => draft.group('tasks', LIST).set(id, { text, done: false }),
  });
  const finish = useCall<null, Payload<'tasks::finish'>>('tasks::finish', {
    optimistic: (draft, { id, done }) => draft.group('tasks', LIST).update(id, (task) => ({ ...(task as Task), done })),
  });
  const remove = useCall<null, Payload<'tasks::remove'>>('tasks::remove', {
    optimistic: (draft, { id }) => draft.group('tasks', LIST).delete(id),
  });
  const error = add.error ?? finish.error ?? remove.error;

  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const form = event.currentTarget;
          void add.call({ id: crypto.randomUUID(), text: formText(new FormData(form), 'text') });
          form.reset();
          onTyping(false);
        }}
      >
        <input
          name="text"
          placeholder="What is to be done?"
          autoComplete="off"
          aria-label="A new task"
          onChange={({ target }) => onTyping(target.value !== '')}
        />
        <button type="submit">Add</button>
      </form>
      <p role="status">{error?.message ?? (status === 'live' ? '' : `${status} …`)}</p>
      <ul>
        {items.map(({ id, data: { text, done }, pending = false }) => (
          <li key={id} className={`${done ? 'done' : ''} ${pending ? 'pending' : ''}`}>
            <label>
              <input type="checkbox" checked={done} onChange={() => void finish.call({ id, done: !done })} /> {text}
            </label>
            <button type="button" onClick={() => void remove.call({ id })}>
              Remove
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
