import { expect, it } from 'vitest';
import { Reply } from '../../src/http/reply.js';

it.each([
  ['ENGINE_STOPPING', 'close'],
  ['TIMEOUT', undefined],
])('a request in flight that fails with %s has Connection: %s', (code, connection) => {
  const headers: Record<string, unknown> = {};
  const response = { writableHighWaterMark: 65_536, setHeader: (name: string, value: unknown) => (headers[name] = value), end: () => {} };
  const route = { method: 'GET', path: '/', binding: { functionId: 'app::get' } };
  const context = { cors: { restrict: () => {} }, logger: { warn: () => {} } };
  new Reply(context as never, { route, response } as never, () => {}).fail(503, code, 'the engine stops');
  expect(headers['connection']).toBe(connection);
});
