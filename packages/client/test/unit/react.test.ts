import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { expect, it } from 'vitest';
import { connect, type ViewListeners } from '../../src/index.js';
import { StreamProvider, useStreamGroup } from '../../src/react.js';

function render(listeners: unknown): string {
  const client = connect('wss://example.com', {});
  const Room = () => createElement('p', null, useStreamGroup('chat', 'r1', listeners as ViewListeners<unknown>).status);
  return renderToString(createElement(StreamProvider, { client }, createElement(Room)));
}

it('a hook renders on a server, where it opens no view', () => {
  expect(render({ onChange: () => {} })).toBe('<p>connecting</p>');
  expect(render(undefined)).toBe('<p>connecting</p>');
});

it.each([
  [{ onChange: 'log' }, 'option "onChange" must be a function'],
  [{ onChnage: () => {} }, 'unknown option "onChnage"; did you mean "onChange"?'],
])('a hook refuses a wrong listener in the first render: %j', (listeners, message) => {
  expect(() => render(listeners)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS', message }));
});
