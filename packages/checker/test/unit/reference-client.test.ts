import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FrameReader } from '../../src/client/frame-reader.js';
import { ReferenceClient } from '../../src/client/reference-client.js';
import { decodeWireFrame } from '../../src/client/wire-frame.js';
import type { NewOp } from '../../src/history/op.js';

const GROUP = { streamName: 's', groupId: 'g' };

function clientWith(item?: string) {
  const ops: NewOp[] = [];
  const sent: { readonly type: string; readonly data: Readonly<Record<string, unknown>> }[] = [];
  const client = new ReferenceClient('c', 'u', [{ group: 's/g', positions: true, ...(item === undefined ? {} : { item }) }], (op) =>
    ops.push(op),
  );
  const connect = () => client.connected((text) => sent.push(JSON.parse(text)));
  const receive = (frame: unknown) => client.received(JSON.stringify(frame));
  const change = (offset: number, id: string, more: object = {}) =>
    receive({
      type: 'stream',
      timestamp: offset,
      ...GROUP,
      id,
      event: { type: 'update', data: { id, v: `w.${offset}` } },
      offset,
      ...more,
    });
  /** Returns a `sync` for the newest join. */
  const sync = (offset: number, more: { readonly part?: number; readonly last?: boolean } = {}) => {
    if ((more.part ?? 0) === 0) receive({ type: 'syncing', data: { subscriptionId: sent.at(-1)?.data.subscriptionId } });
    unnamed(offset, more);
  };
  const unnamed = (offset: number, more: object = {}) =>
    receive({
      type: 'stream',
      timestamp: offset,
      ...GROUP,
      id: null,
      event: { type: 'sync', data: [] },
      ids: [],
      created: [],
      offset,
      epoch: 'e',
      ...more,
    });
  return {
    client,
    ops,
    sent,
    connect,
    receive,
    change,
    sync,
    unnamed,
    kinds: () => ops.map((op) => `${op.f} ${'s' in op ? op.s : ''}`.trim()),
  };
}

it('RV-4 it resumes from its position as a position-aware client', () => {
  const { client, sent, connect, sync, change } = clientWith();
  connect();
  expect(sent[0]).toEqual({ type: 'join', data: { subscriptionId: 'c.0.1', ...GROUP, positions: true } });
  sync(4);
  change(5, 'a');
  client.lost();
  connect();
  expect(sent[1]?.data).toMatchObject({ subscriptionId: 'c.0.2', since: 'e:5' });
});

it('RV-7 compacted changes count only together, when their end came', () => {
  const { client, connect, sync, receive, change, kinds } = clientWith();
  connect();
  sync(1);
  const resumed = () => receive({ type: 'resumed', data: { subscriptionId: 'c.0.1', mode: 'changes', epoch: 'e', from: 1, to: 9 } });
  resumed();
  change(7, 'a', { created: 3 });
  expect(client.shown).toBe(0);
  receive({ type: 'caught_up', data: { subscriptionId: 'c.0.1', epoch: 'e', offset: 9 } });
  expect(kinds()).toEqual(['join', 'snapshot 1', 'resumed', 'recv 7', 'caught_up 9', 'mirror 9']);
});

it('RV-17 it keeps its state while it is stale, and records the end of staleness', () => {
  const { connect, sync, receive, change, kinds } = clientWith();
  connect();
  sync(1);
  receive({ type: 'stale', data: { subscriptionId: 'c.0.1' } });
  change(2, 'a');
  receive({ type: 'caught_up', data: { subscriptionId: 'c.0.1', epoch: 'e', offset: 2 } });
  expect(kinds()).toEqual(['join', 'snapshot 1', 'recv 2', 'caught_up 2', 'mirror 2']);
});

it('RV-11 a state in parts counts when its last part came', () => {
  const { client, connect, sync, kinds } = clientWith();
  connect();
  sync(3, { part: 0, last: false });
  expect([client.whole, kinds()]).toEqual([false, ['join']]);
  sync(3, { part: 1, last: true });
  expect([client.whole, kinds()]).toEqual([true, ['join', 'snapshot 3']]);
});

it('RV-33 the frames of a batch are shown together, and not at all when the connection is lost in the middle', () => {
  const { client, connect, sync, change, kinds } = clientWith();
  connect();
  sync(1);
  change(2, 'a', { through: 3 });
  expect(client.shown).toBe(0);
  change(3, 'b', { through: 3 });
  expect(client.shown).toBe(2);
  change(4, 'a', { through: 5 });
  client.lost();
  expect(kinds()).toEqual(['join', 'snapshot 1', 'recv 2', 'recv 3', 'close']);
});

it('what is repeated on the wire is not shown again; what comes before the answer to a join is for others', () => {
  const { client, ops, connect, sync, change } = clientWith();
  connect();
  change(1, 'a');
  sync(2);
  change(2, 'a');
  expect(client.shown).toBe(0);
  expect(ops.filter((op) => op.f === 'recv').map((op) => op.via)).toEqual(['wire']);
});

it('RV-16 a sync counts for those that it is named for, once', () => {
  const { client, connect, sync, unnamed, receive, change, kinds } = clientWith();
  connect();
  unnamed(2);
  receive({ type: 'syncing', data: { subscriptionId: 'another' } });
  unnamed(3);
  expect([client.whole, kinds()]).toEqual([false, ['join']]);
  sync(4);
  change(5, 'a');
  unnamed(6);
  expect(kinds()).toEqual(['join', 'snapshot 4', 'recv 5']);
  client.leave(0);
  client.join(0);
  unnamed(7);
  change(8, 'a');
  expect([client.whole, kinds().slice(3)]).toEqual([false, ['close', 'join 5']]);
});

it('the decoder of frames answers for any text', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof decodeWireFrame(text).kind === 'string'));
});

it('frames are read however their bytes are cut, fragments and control frames among them', () => {
  const bytes = Buffer.concat([
    Buffer.from([0x81, 2]),
    Buffer.from('ab'),
    Buffer.from([0x01, 1]),
    Buffer.from('c'),
    Buffer.from([0x89, 0]),
    Buffer.from([0x80, 1]),
    Buffer.from('d'),
    Buffer.from([0x81, 126, 1, 44]),
    Buffer.alloc(300, 'x'),
  ]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (cuts) => {
      const texts: string[] = [];
      const reader = new FrameReader((text) => texts.push(text));
      for (let at = 0, n = 0; at < bytes.length; n++) {
        const end = at + (cuts[n % cuts.length] ?? 1);
        reader.read(bytes.subarray(at, end));
        at = end;
      }
      return texts.join('|') === `ab|cd|${'x'.repeat(300)}`;
    }),
  );
});
