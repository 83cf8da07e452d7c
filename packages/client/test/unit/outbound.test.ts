import { expect, test } from 'vitest';
import { Connection, type ConnectionOptions, type Dropped, type SocketEvents } from '../../src/connection/connection.js';

function start(options: Partial<ConnectionOptions> = {}) {
  const sent: string[] = [];
  const events: SocketEvents[] = [];
  const connection = new Connection({
    url: 'ws://test',
    owner: { onOpen: () => {}, onFlushed: () => {}, onText: () => {}, onLost: () => {}, onState: () => {} },
    openSocket: (_url, socketEvents) => {
      events.push(socketEvents);
      return { send: (text) => void sent.push(text), bufferedAmount: 0, close: () => {}, terminate: () => {} };
    },
    wakeSource: () => () => {},
    ...options,
  });
  return { connection, sent, open: () => events.at(-1)?.onOpen(), fail: () => events.at(-1)?.onClose({ code: 1006, reason: '' }) };
}

test('a text that waited and is never sent is reported once, with the reason', () => {
  const { connection, sent, open } = start({ outbound: { messages: 2, units: 100 } });
  const dropped: string[] = [];
  const note = (text: string) => (why: Dropped) => void dropped.push(`${text} ${why}`);
  connection.send('a', () => false, note('a'));
  connection.send('b', () => true, note('b'));
  expect(connection.send('c', () => false, note('c'))).toBe('queued');
  expect(dropped).toEqual(['a unwanted']);
  expect(connection.send('d', () => true, note('d'))).toBe('queued');
  expect(connection.send('e', () => true, note('e'))).toBe('full');
  open();
  expect(sent).toEqual(['b', 'd']);
  expect(dropped).toEqual(['a unwanted', 'c unwanted']);
});

test.each(['close', 'attempts'] as const)('a text that waits at the end (%s) is reported, and nothing can be added then', async (by) => {
  const { connection, fail } = start({ maxAttempts: 0 });
  const seen: string[] = [];
  connection.send('a', undefined, (why) => seen.push(why, connection.send('b')));
  if (by === 'close') await connection.close();
  else fail();
  expect(seen).toEqual(['closed', 'closed']);
  expect(connection.queued).toBe(0);
});

test('what is added while the queue is sent goes out with it', () => {
  const { connection, sent, open } = start();
  connection.send(
    'a',
    () => false,
    () => void connection.send('b'),
  );
  open();
  expect([sent, connection.queued]).toEqual([['b'], 0]);
});

test('a socket that can not be made leaves nothing behind', () => {
  let listeners = 0;
  const make = () =>
    start({
      openSocket: () => {
        throw new SyntaxError('no such URL');
      },
      wakeSource: () => {
        listeners++;
        return () => void listeners--;
      },
    });
  expect(make).toThrow('no such URL');
  expect(listeners).toBe(0);
});
