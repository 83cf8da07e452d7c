import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { expect, expectTypeOf, it } from 'vitest';
import type { Ref } from 'vue';
import { connect, type Item, type StreamClient } from '../../src/index.js';
import { createHooks, type StreamGroup, StreamProvider } from '../../src/react.js';
import { functionCall, type Live, presence, streamGroup, streamItem } from '../../src/svelte.js';
import { useCall, usePresence, useStreamGroup, useStreamItem } from '../../src/vue.js';

interface Task {
  readonly title: string;
}

interface Streams {
  board: Task;
  presence: { readonly name: string };
}

interface Functions {
  'board::add': { readonly payload: { readonly title: string }; readonly result: string };
  'board::clear': { readonly payload: undefined; readonly result: number };
}

/** Never runs. The compiler checks it. */
function react(client: StreamClient<Streams, Functions>, untyped: StreamClient): void {
  const hooks = createHooks(client);
  expectTypeOf(hooks.useStreamGroup('board', 'b1').items).toEqualTypeOf<readonly Item<Task>[]>();
  expectTypeOf(hooks.useSuspenseStreamItem('board', 'b1', 't1').item).toEqualTypeOf<Item<Task> | undefined>();
  expectTypeOf(hooks.useSuspenseStreamGroup('board', 'b1').status).toEqualTypeOf<'live' | 'stale' | 'closed'>();
  expectTypeOf(hooks.useStreamClient()).toEqualTypeOf<StreamClient<Streams, Functions>>();
  hooks.useStreamGroup('board', 'b1', { onChange: (change) => expectTypeOf(change.id).toEqualTypeOf<string>() });
  // @ts-expect-error -- no such stream
  hooks.useStreamGroup('other', 'b1');
  // @ts-expect-error -- the map has the type
  hooks.useStreamGroup<string>('board', 'b1');
  // @ts-expect-error -- no such option
  hooks.useStreamGroup('board', 'b1', { onchange: () => {} });
  expectTypeOf(createHooks(untyped).useStreamGroup<Task>('any', 'g')).toEqualTypeOf<StreamGroup<Task>>();
  createElement(StreamProvider<Streams, Functions>, { client });
  const add = hooks.useCall('board::add', {
    optimistic: (draft, { title }) => draft.group('board', 'b1').set('new', { title }),
  });
  expectTypeOf(add.result).toEqualTypeOf<string | undefined>();
  expectTypeOf(add.call({ title: 'a' })).toEqualTypeOf<Promise<string>>();
  expectTypeOf(hooks.useCall('board::clear').call()).toEqualTypeOf<Promise<number>>();
  // @ts-expect-error -- the payload is missing
  void add.call();
  // @ts-expect-error -- the payload has another type
  void add.call({ name: 'a' });
  // @ts-expect-error -- no such function
  hooks.useCall('board::remove');
  // @ts-expect-error -- the draft has another type
  hooks.useCall('board::add', { optimistic: (draft) => draft.group('board', 'b1').set('new', { name: 'a' }) });
  expectTypeOf(createHooks(untyped).useCall<number, string>('any').call('a')).toEqualTypeOf<Promise<number>>();
  expectTypeOf(hooks.usePresence('presence', 'b1', { name: 'a' }).others).toEqualTypeOf<readonly Item<{ readonly name: string }>[]>();
  // @ts-expect-error -- the data has another type
  hooks.usePresence('presence', 'b1', { nam: 'a' });
}

/** Never runs. The compiler checks it. */
function vue(client: StreamClient<Streams, Functions>, untyped: StreamClient): void {
  expectTypeOf(useStreamGroup(client, 'board', () => 'b1').items).toEqualTypeOf<Readonly<Ref<readonly Item<Task>[]>>>();
  expectTypeOf(useStreamItem(client, 'board', 'b1', 't1').item.value).toEqualTypeOf<Item<Task> | undefined>();
  // @ts-expect-error -- no such stream
  useStreamGroup(client, 'other', 'b1');
  // @ts-expect-error -- the map has the type
  useStreamGroup<string>(client, 'board', 'b1');
  expectTypeOf(useStreamGroup<Task>(untyped, 'any', 'g').items.value).toEqualTypeOf<readonly Item<Task>[]>();
  expectTypeOf(useCall(client, 'board::add').call({ title: 'a' })).toEqualTypeOf<Promise<string>>();
  // @ts-expect-error -- the payload is missing
  void useCall(client, 'board::add').call();
  expectTypeOf(useCall<number>(untyped, 'any').result.value).toEqualTypeOf<number | undefined>();
  usePresence(client, 'presence', 'b1', () => ({ name: 'a' })).update({ name: 'b' });
  // @ts-expect-error -- the data has another type
  usePresence(client, 'presence', 'b1', { nam: 'a' });
  expectTypeOf(useStreamGroup(untyped, 'any', 'g').items.value).toEqualTypeOf<readonly Item<unknown>[]>();
}

/** Never runs. The compiler checks it. */
function svelte(client: StreamClient<Streams, Functions>, untyped: StreamClient): void {
  expectTypeOf(streamGroup(client, 'board', 'b1')).toEqualTypeOf<Live<StreamGroup<Task>>>();
  expectTypeOf(streamItem(client, 'board', 'b1', 't1').item).toEqualTypeOf<Item<Task> | undefined>();
  // @ts-expect-error -- no such stream
  streamGroup(client, 'other', 'b1');
  // @ts-expect-error -- the map has the type
  streamGroup<string>(client, 'board', 'b1');
  presence(client, 'presence', 'b1').update({ name: 'b' });
  expectTypeOf(functionCall(client, 'board::add').result).toEqualTypeOf<string | undefined>();
  // @ts-expect-error -- the payload is missing
  void functionCall(client, 'board::add').call();
  expectTypeOf(functionCall<number>(untyped, 'any').result).toEqualTypeOf<number | undefined>();
  // @ts-expect-error -- the data has another type
  presence(client, 'presence', 'b1').update({ nam: 'b' });
  expectTypeOf(streamGroup<Task>(untyped, 'any', 'g').items).toEqualTypeOf<readonly Item<Task>[]>();
}

it('the parts for frameworks take the types of the client', () => {
  expect([react, vue, svelte]).toHaveLength(3);
});

it('the hooks of a client need no provider, and a provider gives them another client', () => {
  const own = connect<Streams, Functions>('wss://example.com');
  const other = connect<Streams, Functions>('wss://example.com');
  const hooks = createHooks(own);
  const seen: StreamClient<Streams, Functions>[] = [];
  const Room = () => {
    seen.push(hooks.useStreamClient());
    return createElement('p', null, `${hooks.useStreamGroup('board', 'b1').status} ${hooks.useConnection().kind}`);
  };
  expect(renderToString(createElement(Room))).toBe('<p>connecting connecting</p>');
  renderToString(createElement(StreamProvider<Streams, Functions>, { client: other }, createElement(Room)));
  expect([seen[0] === own, seen[1] === other]).toEqual([true, true]);
});
