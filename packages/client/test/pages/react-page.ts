import {
  Component,
  createElement,
  type ReactElement,
  type ReactNode,
  StrictMode,
  Suspense,
  startTransition,
  useLayoutEffect,
  useState,
} from 'react';
import { createRoot, hydrateRoot } from 'react-dom/client';
import { connect, type InitialState, type StreamClient, StreamError } from '../../src/index.js';
import { optimistic } from '../../src/optimistic.js';
import {
  StreamProvider,
  useCall,
  useConnection,
  usePresence,
  useStreamGroup,
  useSuspenseStreamGroup,
  useSuspenseStreamItem,
} from '../../src/react.js';

import { type CallerPage, callerLine, type Question } from './callers.js';
import type { Chat } from './framework-page.js';
import { type PeoplePage, type Person, peopleLine } from './people.js';

export { tapped } from './tapped.js';

/** The lines that components rendered, in the order of their renders. */
export const rendered: string[] = [];
/** Errors that React reports: of hydration, and those that an error boundary caught. */
export const problems: string[] = [];
/** The different texts that stood in the page together after a commit. */
export const torn: string[] = [];

/** Changes the state of the test pages. */
export const pages: { show: (name: string, inTransition?: boolean) => void } = { show: () => {} };

const textsOf = (items: readonly { readonly data: Chat }[]) => items.map(({ data }) => data.text).join();

function Connection() {
  return createElement('p', { id: 'connection' }, useConnection().kind);
}

function Room({ group, initial }: { readonly group: string; readonly initial?: InitialState<Chat> | undefined }) {
  const { items, status } = useStreamGroup<Chat>('chat', group, { initial });
  rendered.push(`room ${group} ${status} ${textsOf(items)}`);
  return createElement('p', { className: 'room' }, `${group} ${status} ${textsOf(items)}`);
}

function SuspendedRoom({ group, initial }: { readonly group: string; readonly initial?: InitialState<Chat> | undefined }) {
  const { items, status } = useSuspenseStreamGroup<Chat>('chat', group, { initial });
  const { item } = useSuspenseStreamItem<Chat>('chat', group, 'm1', { initial });
  rendered.push(`suspended ${group} ${status} ${textsOf(items)} ${item?.data.text}`);
  return createElement('p', { className: 'room' }, `${group} ${status} ${textsOf(items)}`);
}

class Boundary extends Component<{ readonly children?: ReactNode }, { readonly code: string | undefined }> {
  override state = { code: undefined };

  static getDerivedStateFromError(error: unknown) {
    return { code: error instanceof StreamError ? error.code : String(error) };
  }

  override render() {
    return this.state.code === undefined ? this.props.children : createElement('p', { className: 'room' }, this.state.code);
  }
}

const waiting = (child: ReactElement) => createElement(Suspense, { fallback: createElement('p', { className: 'room' }, 'waits') }, child);

/** Blocks the thread, so that React gives a transition several slices. */
function Slow({ group, index }: { readonly group: string; readonly index: number }) {
  const { items } = useStreamGroup<Chat>('chat', group);
  const until = performance.now() + 2;
  while (performance.now() < until);
  return createElement('i', { className: 'slow', 'data-index': index }, textsOf(items));
}

function Many({ group }: { readonly group: string }) {
  useLayoutEffect(() => {
    const texts = new Set([...document.querySelectorAll('.slow')].map(({ textContent }) => textContent));
    if (texts.size > 1) torn.push([...texts].join(' | '));
  });
  useStreamGroup('chat', group);
  return createElement(
    'div',
    null,
    Array.from({ length: 20 }, (_, index) => createElement(Slow, { key: index, group, index })),
  );
}

function App({ first }: { readonly first: string }) {
  const [name, setName] = useState(first);
  pages.show = (next, inTransition = false) => (inTransition ? startTransition(() => setName(next)) : setName(next));
  const [kind = '', group = ''] = name.split(' ');
  if (kind === 'room') return createElement(Room, { key: group, group });
  if (kind === 'rooms') return createElement('div', null, createElement(Room, { group }), createElement(Room, { group: 'r1' }));
  if (kind === 'same') return createElement(Room, { group });
  if (kind === 'suspended') return createElement(Boundary, { key: group }, waiting(createElement(SuspendedRoom, { group })));
  if (kind === 'kept') return waiting(createElement(SuspendedRoom, { group }));
  if (kind === 'late')
    return createElement('div', null, waiting(createElement(SuspendedRoom, { key: 'kept', group })), createElement(Room, { group }));
  if (kind === 'many') return createElement(Many, { group });
  if (kind === 'connection') return createElement(Connection);
  return createElement('p', { className: 'room' }, 'none');
}

const tree = (client: StreamClient, child: ReactElement) =>
  createElement(StrictMode, null, createElement(StreamProvider, { client }, child));

/** Shows one of the pages of `App`. */
export function show(client: StreamClient, first: string): void {
  const root = document.createElement('div');
  document.body.append(root);
  createRoot(root, { onCaughtError: () => {} }).render(tree(client, createElement(App, { first })));
}

/** The part of a page that a server renders. Without `initial`, the state of the suspended room is known only in the browser. */
export function serverTree(client: StreamClient, initial: InitialState<Chat> | undefined): ReactElement {
  const rooms = [
    createElement(Room, { key: 'room', group: 'r1', initial }),
    waiting(createElement(SuspendedRoom, { group: 'r1', initial })),
    createElement(Connection, { key: 'connection' }),
  ];
  return tree(client, createElement('div', null, ...rooms));
}

/** Hydrates the HTML of a server. */
export function hydrate(client: StreamClient, initial: InitialState<Chat> | undefined): void {
  const root = document.querySelector('#server');
  if (root === null) throw new Error('the page has no HTML of a server');
  hydrateRoot(root, serverTree(client, initial), { onRecoverableError: (error) => problems.push(String(error)) });
}

/** A page with the people of a room. */
export const people: PeoplePage = {
  show: (client, name) => {
    const root = document.createElement('div');
    document.body.append(root);
    const rendering = createRoot(root);
    rendering.render(tree(client, createElement(People, { name })));
    people.end = () => rendering.unmount();
  },
  setTyping: () => {},
  update: () => {},
  end: () => {},
};

function People({ name }: { readonly name: string }) {
  const [typing, setTyping] = useState(false);
  const { status, self, others, update } = usePresence<Person>('presence', 'room', { name, typing }, { self: name });
  people.setTyping = setTyping;
  people.update = update;
  return createElement(
    'p',
    { id: 'people' },
    peopleLine(
      status,
      self?.data,
      others.map(({ data }) => data),
    ),
  );
}

/** A page with a component that calls a function. */
export const caller: CallerPage = {
  show: (client) => {
    const root = document.createElement('div');
    document.body.append(root);
    const rendering = createRoot(root);
    rendering.render(tree(client, createElement(Caller)));
    caller.end = () => rendering.unmount();
  },
  call: () => Promise.reject(new Error('the component is not rendered')),
  reset: () => {},
  end: () => {},
};

function Caller() {
  const { call, reset, pending, result, error } = useCall<string, Question>('app::answer');
  caller.call = call;
  caller.reset = reset;
  return createElement('p', { id: 'caller' }, callerLine(pending, result, error?.code));
}

/** The texts of the page after each change of the DOM by `Composer`, one line each. A pending message has a `?`. */
export const drawn: string[] = [];
export const composer: { post: (text: string) => void } = { post: () => {} };

function Composer() {
  const { items } = useStreamGroup<Chat>('chat', 'r1');
  const { call, error } = useCall<unknown, Chat>('app::answer', {
    optimistic: (draft, message) => draft.group<Chat>('chat', 'r1').set(message.id, message),
  });
  composer.post = (text) => {
    call({ id: text, text }).catch(() => {});
  };
  const line = `${items.map(({ data, pending }) => `${data.text}${pending ? '?' : ''}`).join()} ${error?.code ?? ''}`.trim();
  useLayoutEffect(() => {
    if (drawn.at(-1) !== line) drawn.push(line);
  });
  return createElement('p', { id: 'composer' }, line);
}

/** Shows a room whose messages are drawn before the engine has them. */
export function showComposer(url: string): void {
  const root = document.createElement('div');
  document.body.append(root);
  createRoot(root).render(tree(connect(url, { optimistic }), createElement(Composer)));
}
