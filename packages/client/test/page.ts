import { createElement, StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import type { StreamClient } from '../src/index.js';
import { StreamProvider, useStreamGroup, useStreamItem } from '../src/react.js';

/** The values of the test pages. */
export { connect } from '../src/index.js';
export { tapped } from './pages/tapped.js';

interface Chat {
  readonly id: string;
  readonly text: string;
}

/** Records the values of each render. If two components show different values in one render, the record has both. */
export const shown: string[] = [];
export const heard: string[] = [];
let toggle: (on: boolean) => void = () => {};

function Room({ group }: { readonly group: string }) {
  const { items, status, view } = useStreamGroup<Chat>('chat', group, {
    onEvent: ({ name }) => heard.push(`${name} in ${group}`),
    onChange: ({ type, id }) => heard.push(`${type} ${id}`),
  });
  const first = useStreamItem<Chat>('chat', group, 'm1');
  const line = `${group} ${status} ${items.map(({ data }) => data.text).join()} | ${first.status} ${first.item?.data.text ?? '-'}`;
  shown.push(`${line}${view === undefined ? ' without view' : ''}`);
  return createElement('p', { id: 'room' }, line);
}

function App() {
  const [group, setGroup] = useState('r1');
  const [on, setOn] = useState(true);
  toggle = setOn;
  return createElement('div', null, [
    createElement('button', { key: 'b', id: 'go', onClick: () => setGroup('r2') }),
    on ? createElement(Room, { key: 'r', group }) : null,
    on ? createElement(Room, { key: 's', group }) : null,
  ]);
}

/** Shows the same room twice. StrictMode mounts everything twice. */
export function show(client: StreamClient): void {
  const root = document.createElement('div');
  document.body.append(root);
  createRoot(root).render(createElement(StrictMode, null, createElement(StreamProvider, { client }, createElement(App))));
}

export function mounted(on: boolean): void {
  toggle(on);
}
