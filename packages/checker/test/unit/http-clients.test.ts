import { expect, test } from 'vitest';
import { EventClient } from '../../src/client/event-client.js';
import { HttpAnswerReader } from '../../src/client/http-answer-reader.js';
import { PollClient } from '../../src/client/poll-client.js';
import type { NewOp } from '../../src/history/op.js';

/** Returns a short text of each operation: its name, its offset and its value. */
function texts(ops: readonly NewOp[]): string[] {
  return ops.map((op) => [op.p, op.f, 's' in op ? op.s : '', 'v' in op ? op.v : '', 'n' in op ? op.n : ''].join(' ').trim());
}

test('answers are read whatever the pieces are in which they come: with a length, in chunks, until the end', () => {
  const chunked = 'HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n';
  const bytes = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi${chunked}HTTP/1.1 304 Not\r\nContent-Length: 0\r\n\r\n`);
  for (let size = 1; size <= bytes.length; size++) {
    const seen: string[] = [];
    let body = '';
    const reader = new HttpAnswerReader({
      onHead: (status) => void seen.push(String(status)),
      onBody: (part) => {
        body += part.toString();
      },
      onEnd: () => {
        seen.push(body);
        body = '';
      },
    });
    for (let at = 0; at < bytes.length; at += size) reader.read(bytes.subarray(at, at + size));
    expect(seen).toEqual(['200', 'hi', '503', 'abcd', '304', '']);
  }
  const reader = new HttpAnswerReader({ onHead: () => {}, onBody: () => {}, onEnd: () => {} });
  expect(() => reader.read(Buffer.from('220 mail.example\r\n\r\n'))).toThrow('no head of an answer');
});

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n';
const frame = (of: object, group = 'a') =>
  JSON.stringify({ type: 'stream', timestamp: 1, streamName: 's', groupId: group, id: null, ...of });
const change = (id: string, offset: number, more: object = {}, group = 'a') =>
  frame({ id, event: { type: 'create', data: { v: `v${offset}` } }, offset, ...more }, group);
const sync = (offset: number, group = 'a') => frame({ event: { type: 'sync', data: [] }, ids: [], created: [], offset, epoch: 'e' }, group);
const control = (type: string, path: string, data: object = {}) => JSON.stringify({ type, data: { subscriptionId: path, ...data } });
const event = (data: string, id?: string) => Buffer.from(`data: ${data}\n${id === undefined ? '' : `id: ${id}\n`}\n`);

function eventClient(groups: readonly string[], sinceInQuery = false) {
  const ops: NewOp[] = [];
  const sent: string[] = [];
  const targets = groups.map((group) => ({ group }));
  const client = new EventClient({ name: 'h', who: 'u', targets, record: (op) => ops.push(op), sinceInQuery });
  const connect = () => {
    client.connected((text) => sent.push(text));
    client.read(Buffer.from(HEAD));
  };
  connect();
  return { client, ops, sent, connect };
}

test('an event counts with the next id, and one without an id is dropped with its connection', () => {
  const { client, ops, sent, connect } = eventClient(['s/a']);
  client.read(event(control('syncing', 's/a')));
  client.read(event(sync(1), 'e:1'));
  client.read(event(change('x', 2, { through: 3 })));
  expect(client.whole).toBe(false);
  client.lost();
  connect();
  expect(sent[1]).toContain('last-event-id: e:1\r\n');
  client.read(event(control('resumed', 's/a', { mode: 'tail', epoch: 'e', from: 1, to: 3 })));
  client.read(event(change('x', 2, { through: 3 })));
  client.read(event(change('y', 3, { through: 3 }), 'e:3'));
  expect(client.whole).toBe(true);
  expect(texts(ops)).toEqual([
    'h.0 join',
    'h.0 snapshot 1  0',
    'h.0 mirror 1  0',
    'h.0 close',
    'h.0 join 1',
    'h.0 resumed',
    'h.0 recv 2 v2',
    'h.0 recv 3 v3',
    'h.0 mirror 3  2',
  ]);
});

test('a state is recorded at the position of its id, also when that is wrong', () => {
  const { client, ops } = eventClient(['s/a', 's/b']);
  client.read(event(control('syncing', 's/a')));
  client.read(event(sync(1), 'e:1,'));
  client.read(event(control('syncing', 's/b')));
  client.read(event(sync(5, 'b'), 'e:1,e:5'));
  // The position of the other group moves although nothing came for it.
  client.read(event(change('x', 6, {}, 'b'), 'e:2,e:6'));
  expect(texts(ops).slice(-3)).toEqual(['h.0 mirror 2  0', 'h.1 recv 6 v6', 'h.1 mirror 6  1']);
});

test('a page that opens a new stream names the last id in the query', () => {
  const { client, sent, connect } = eventClient(['s/a', 's/b'], true);
  client.read(event(control('syncing', 's/a')));
  client.read(event(sync(1), 'e:1,'));
  client.lost();
  connect();
  expect(sent[1]).toMatch(/^GET \/events\?group=s\/a&group=s\/b&since=e%3A1%2C HTTP/);
});

test('a long poll goes on from the position of each answer', () => {
  const ops: NewOp[] = [];
  const sent: string[] = [];
  const client = new PollClient({
    name: 'h',
    who: 'u',
    target: { group: 's/a' },
    record: (op) => ops.push(op),
    waitS: 9,
    beginsBySnapshot: true,
    after: (_came, next) => next(),
  });
  const answer = (body: object) => {
    const text = JSON.stringify(body);
    client.read(Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`));
  };
  client.connected((text) => sent.push(text));
  answer({ position: 'e:1', items: [{ id: 'w', data: { v: 'v1' } }] });
  answer({ position: 'e:2', mode: 'tail', changes: [JSON.parse(change('x', 2))] });
  // The reader fell behind within the answer: a live change, changed items, and another live change.
  const changes = [change('y', 3), change('z', 5, { created: 5 }), control('gap', 's/a', { after: 3, through: 5 }), change('q', 6)];
  answer({ position: 'e:6', mode: 'changes', changes: changes.map((each) => JSON.parse(each) as object) });
  expect(sent.map((text) => text.split(' ', 2)[1])).toEqual([
    '/stream/s/a',
    '/stream/s/a?since=e%3A1&wait=9',
    '/stream/s/a?since=e%3A2&wait=9',
    '/stream/s/a?since=e%3A6&wait=9',
  ]);
  expect(texts(ops)).toEqual([
    'h.0 join',
    'h.0 snapshot 1  1',
    'h.0 resumed',
    'h.0 recv 2 v2',
    'h.0 mirror 2  2',
    'h.0 resumed',
    'h.0 recv 3 v3',
    'h.0 resumed',
    'h.0 gap',
    'h.0 recv 5 v5',
    'h.0 caught_up 5',
    'h.0 mirror 5  4',
    'h.0 recv 6 v6',
    'h.0 mirror 6  5',
  ]);
});
