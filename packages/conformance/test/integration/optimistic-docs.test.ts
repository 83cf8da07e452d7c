import { readFileSync } from 'node:fs';
import { compileFunction } from 'node:vm';
import { type ConnectOptions, connect, type GroupView, type StreamClient } from '@rivulet/client';
import { optimistic } from '@rivulet/client/optimistic';
import { InvocationError, registerWorker, stream } from '@rivulet/sdk';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';

interface Task {
  readonly text: string;
  readonly done: boolean;
}

/** Resolves when no item is pending. */
function settled(view: GroupView<Task>): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (view.items.some(({ pending }) => pending)) return;
      end();
      resolve();
    };
    const end = view.subscribe(look);
    look();
  });
}

/** Returns the code blocks of the docs page in one language, without imports. */
function snippets(language: string): readonly string[] {
  const page = readFileSync(new URL('../../../../docs/optimistic-writes.md', import.meta.url), 'utf8');
  return Array.from(page.matchAll(/```(\w+)\n([^`]+)```/g))
    .filter(([, name]) => name === language)
    .map(([, , code = '']) => code.replaceAll(/^import .*\n/gm, ''));
}

it('the example of docs/optimistic-writes.md works as it stands there', async () => {
  const [server = '', page = ''] = snippets('js');
  const engine = await startTestEngine({ stream: { exposeFunctions: [{ kind: 'match', pattern: 'tasks::*' }] } });
  expect(snippets('yaml')[0]).toContain("match('tasks::*')");
  const ready = runSnippet(server, { InvocationError, registerWorker: () => registerWorker(engine.workerUrl), stream }, 'worker');
  const worker = ready as ReturnType<typeof registerWorker>;
  onTestFinished(() => worker.shutdown());
  await worker.trigger({ function_id: 'tasks::add', payload: { id: 't0', text: 'first' } });
  const drawn: string[] = [];
  const draw = (items: GroupView<Task>['items']) =>
    drawn.push(items.map(({ data, pending }) => `${data.text}${pending ? '?' : ''}`).join());
  const here = (_url: string, options: ConnectOptions) => connect(engine.streamUrl, { ...options, WebSocket });
  const { client, view, add, toggle } = runSnippet(page, { connect: here, optimistic, draw }, '{ client, view, add, toggle }') as {
    readonly client: StreamClient;
    readonly view: GroupView<Task>;
    readonly add: (text: string) => Promise<unknown>;
    readonly toggle: (id: string) => Promise<unknown>;
  };
  onTestFinished(() => client.close());
  await view.whenLive();
  const added = add('second');
  expect(view.items.map(({ data, pending }) => [data.text, pending])).toEqual([
    ['first', undefined],
    ['second', true],
  ]);
  await Promise.resolve();
  expect(drawn.at(-1)).toBe('first,second?');
  await added;
  await toggle('t0');
  await settled(view);
  expect(view.get('t0')?.data.done).toBe(true);
  await expect(toggle('nobody')).rejects.toMatchObject({ code: 'NO_TASK' });
});

/** Runs code of a page with some values, and returns what an expression has at its end. */
function runSnippet(code: string, values: Readonly<Record<string, unknown>>, result: string): unknown {
  const run = compileFunction(`${code}\nreturn ${result};`, Object.keys(values)) as (...given: readonly unknown[]) => unknown;
  return run(...Object.values(values));
}
