import { expect, expectTypeOf, it } from 'vitest';
import { connect, type Draft, type GroupView, type Item, type ItemView, type StreamClient } from '../../src/index.js';

interface Task {
  readonly title: string;
}

interface Streams {
  board: Task;
  presence: { readonly name: string };
}

interface Functions {
  'board::add': { payload: Task; result: { readonly id: string } };
  'board::clear': { payload: undefined; result: null };
}

/** Never runs. The compiler checks it. */
function typedClient(client: StreamClient<Streams, Functions>): void {
  expectTypeOf(client.subscribeGroup('board', 'b1')).toEqualTypeOf<GroupView<Task>>();
  expectTypeOf(client.subscribeItem('presence', 'b1', 'me')).toEqualTypeOf<ItemView<{ readonly name: string }>>();
  client.subscribeGroup('board', 'b1', {
    onChange: (change) => expectTypeOf(change.type === 'delete' ? change.old : change.data).toEqualTypeOf<Task>(),
  });
  expectTypeOf(client.call('board::add', { title: 'a' })).toEqualTypeOf<Promise<{ readonly id: string }>>();
  expectTypeOf(client.call('board::clear')).toEqualTypeOf<Promise<null>>();
  void client.call('board::add', { title: 'a' }, { timeoutMs: 1, confirm: [{ stream: 'board', group: 'b1' }] });
  void client.call('board::clear', undefined, {
    optimistic: (draft) => {
      expectTypeOf(draft.group('board', 'b1').get('t1')).toEqualTypeOf<Item<Task> | undefined>();
      draft.group('board', 'b1').update('t1', (old) => ({ title: `${old.title}!` }));
      // @ts-expect-error -- no such member
      draft.group('board', 'b1').set('t1', { name: 'a' });
      // @ts-expect-error -- no such stream
      draft.group('other', 'b1');
    },
  });
  // @ts-expect-error -- no such stream
  client.subscribeGroup('other', 'b1');
  // @ts-expect-error -- the map has the type
  client.subscribeGroup<string>('board', 'b1');
  // @ts-expect-error -- no such listener
  client.subscribeGroup('board', 'b1', { onchange: () => {} });
  // @ts-expect-error -- no such function
  void client.call('board::remove', 1);
  // @ts-expect-error -- the payload is missing
  void client.call('board::add');
  // @ts-expect-error -- the payload has another type
  void client.call('board::add', { name: 'a' });
  // @ts-expect-error -- the payload has a member too many
  void client.call('board::add', { title: 'a', done: true });
  // @ts-expect-error -- no such option
  void client.call('board::add', { title: 'a' }, { timeout: 1 });
  // @ts-expect-error -- no such stream
  void client.call('board::add', { title: 'a' }, { confirm: [{ stream: 'other', group: 'b1' }] });
}

/** Never runs. The compiler checks it. */
function untypedClient(client: StreamClient): void {
  expectTypeOf(client.subscribeGroup('any', 'g')).toEqualTypeOf<GroupView<unknown>>();
  expectTypeOf(client.subscribeGroup<string>('any', 'g')).toEqualTypeOf<GroupView<string>>();
  expectTypeOf(client.subscribeItem<Task>('any', 'g', 'i')).toEqualTypeOf<ItemView<Task>>();
  expectTypeOf(client.call('any')).toEqualTypeOf<Promise<unknown>>();
  expectTypeOf(client.call<string>('any', 1, { confirm: [{ stream: 's', group: 'g' }] })).toEqualTypeOf<Promise<string>>();
  void client.call('any', 1, { optimistic: (draft: Draft) => draft.group<Task>('any', 'g').update('i', ({ title }) => ({ title })) });
  // @ts-expect-error -- no such option
  void client.call('any', 1, { timeout: 1 });
}

it('a client with maps of types checks names, payloads and options; a client without takes the types where they are used', () => {
  const typed = connect<Streams, Functions>('ws://localhost');
  expectTypeOf(typed).toEqualTypeOf<StreamClient<Streams, Functions>>();
  expectTypeOf(connect('ws://localhost')).toEqualTypeOf<StreamClient>();
  // A function for any client, as a provider is.
  const stateOf = <Streams, Functions>(client: StreamClient<Streams, Functions>) => client.state.kind;
  expect([stateOf(typed), stateOf(connect('ws://localhost'))]).toEqual(['connecting', 'connecting']);
  expect([typedClient, untypedClient]).toHaveLength(2);
  // @ts-expect-error -- no such option
  expect(() => connect('ws://localhost', { calls: { maxAge: 1 } })).toThrow('did you mean "maxAgeMs"?');
});
