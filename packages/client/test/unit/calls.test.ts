import { CLOSE_CODES } from '@rivulet/protocol';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { StreamError } from '../../src/index.js';
import { CallBench, type TestSocket } from '../call-bench.js';
import { failure, sync, syncing } from '../frames.js';

/** Lets promises settle. Nothing here waits for time. */
const settle = async () => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

function open(...args: ConstructorParameters<typeof CallBench>): CallBench {
  const bench = new CallBench(...args);
  bench.socket.open();
  return bench;
}

const ids = (socket: TestSocket) => socket.calls.map(({ callId }) => callId);

describe('a call', () => {
  it('is sent at once with a key, and resolves with the result', async () => {
    const { client, socket } = open();
    const result = client.call('chat::send', { text: 'hi' }, { timeoutMs: 1_000, confirm: [{ stream: 'chat', group: 'r1' }] });
    const [sent] = socket.calls;
    expect(sent).toEqual({
      callId: 'c1',
      functionId: 'chat::send',
      idempotencyKey: expect.stringMatching(/^\d+(-\d+){3}$/) as string,
      timeoutMs: 1_000,
      confirm: [{ streamName: 'chat', groupId: 'r1' }],
      data: { text: 'hi' },
    });
    socket.result('c1', { id: 'm1' }, [null]);
    expect(await result).toEqual({ id: 'm1' });
  });

  it('has 30 s, no payload and a key of its own if the page says nothing else', () => {
    const { client, socket } = open();
    void client.call('a');
    void client.call('b', undefined, { idempotencyKey: 'mine' });
    expect(socket.calls.map(({ data, timeoutMs }) => [data, timeoutMs])).toEqual([
      [null, 30_000],
      [null, 30_000],
    ]);
    expect(socket.calls[1]?.idempotencyKey).toBe('mine');
    expect(socket.calls[0]?.idempotencyKey).not.toBe('mine');
  });

  it('rejects with the code, the message and the error id of the engine', async () => {
    const { client, socket } = open();
    const call = client.call('a');
    socket.error('c1', 'invocation_failed');
    await expect(call).rejects.toMatchObject({
      name: 'StreamError',
      code: 'invocation_failed',
      message: 'invocation_failed!',
      errorId: 'x1',
    });
  });

  it('is settled once: a second answer, and one to an unknown call, have no effect', async () => {
    const { client, socket } = open();
    const call = client.call('a');
    socket.result('c9', 'other');
    socket.result('c1', 'first');
    socket.error('c1', 'FORBIDDEN');
    expect(await call).toBe('first');
  });

  it.each([
    [{ timeout: 1 }, 'did you mean "timeoutMs"?'],
    [{ timeoutMs: 0 }, 'must be a number from 1'],
    [{ signal: 1 }, 'must be an object'],
    [{ optimistic: () => {} }, 'import it from @rivulet/client/optimistic'],
    [{ confirm: Array.from({ length: 9 }, (_, at) => ({ stream: 's', group: `g${at}` })) }, 'at most 8 groups'],
  ])('with the options %j is rejected as INVALID_OPTIONS and not sent', async (options, message) => {
    const { client, socket } = open();
    const call = client.call('a', 1, options as object);
    await expect(call).rejects.toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining(message) as string });
    expect(socket.calls).toEqual([]);
  });

  it('with a payload that is no JSON is rejected and not sent', async () => {
    const { client, socket } = open();
    await expect(client.call('a', { at: 1n })).rejects.toMatchObject({
      code: 'serialization_error',
      cause: expect.any(TypeError) as TypeError,
    });
    expect(socket.calls).toEqual([]);
  });

  it('goes out after the joins of the views that were opened before it', () => {
    const { client, socket } = open();
    client.subscribeGroup('chat', 'r1');
    void client.call('a');
    expect(socket.sent.map(({ type }) => type)).toEqual(['join', 'call']);
  });
});

describe('without a connection', () => {
  it('calls wait, and go out behind the joins in the order in which they were made', () => {
    const { client, socket } = new CallBench();
    for (const name of ['a', 'b', 'c']) void client.call(name);
    client.subscribeGroup('chat', 'r1');
    socket.open();
    expect(socket.sent.map(({ type, data }) => data.functionId ?? type)).toEqual(['join', 'a', 'b', 'c']);
    expect(socket.calls.map(({ repeatedAfterMs }) => repeatedAfterMs)).toEqual([undefined, undefined, undefined]);
  });

  it('at most 100 calls wait', async () => {
    const { client, socket, ends, note } = new CallBench();
    for (let at = 1; at <= 101; at++) note(`${at}`, client.call('a'));
    await settle();
    expect(ends).toEqual(['101: QUEUE_FULL']);
    socket.open();
    expect(socket.calls).toHaveLength(32);
  });

  it('the bytes of the calls that wait have a bound, and so has one call', async () => {
    const { client, ends, note } = new CallBench({ calls: { maxQueuedBytes: 1_000 } });
    note('one', client.call('a', 'é'.repeat(300)));
    note('two', client.call('a', 'é'.repeat(300)));
    note('three', client.call('a', 'é'.repeat(1_000)));
    note('four', client.call('a'));
    await settle();
    expect(ends).toEqual(['two: QUEUE_FULL', 'three: VALUE_TOO_LARGE']);
  });

  it('a call waits for at most 10 minutes', async () => {
    const { client, clock, ends, note, socket } = new CallBench();
    note('old', client.call('a'));
    clock.pass(300_000);
    note('new', client.call('b'));
    clock.pass(299_999);
    await settle();
    expect(ends).toEqual([]);
    clock.pass(1);
    await settle();
    expect(ends).toEqual(['old: NOT_SENT']);
    expect(socket.calls).toEqual([]);
  });

  it('a call that waited through the sleep of a device is not sent any more', async () => {
    const { client, ends, note, socket } = new CallBench();
    note('a', client.call('a'));
    sleep(600_000);
    socket.open();
    await settle();
    expect([ends, socket.calls]).toEqual([['a: NOT_SENT'], []]);
  });

  it('a client whose token is refused rejects its calls, unless it can get another token', async () => {
    const fixed = open({ token: 't' });
    fixed.note('sent', fixed.client.call('a'));
    fixed.socket.lose(1008);
    const renewing = open({ getToken: () => 't' });
    renewing.note('kept', renewing.client.call('a'));
    renewing.reconnect(1008);
    renewing.socket.result('c1', 1);
    await settle();
    expect([fixed.ends, renewing.ends]).toEqual([['sent: UNAUTHORIZED'], ['kept: 1']]);
  });
});

describe('after a lost connection', () => {
  it('calls without an answer are sent again, with their keys and the time since they were sent first, before later calls', async () => {
    const bench = open();
    const { client, clock, socket } = bench;
    const first = client.call('a', 1);
    const answered = client.call('b');
    const second = client.call('c');
    socket.result('c2');
    socket.lose();
    void client.call('d');
    clock.pass(2_500);
    const again = bench.socket;
    again.open();
    expect(again.calls.map(({ functionId, repeatedAfterMs }) => [functionId, repeatedAfterMs])).toEqual([
      ['a', 2_500],
      ['c', 2_500],
      ['d', undefined],
    ]);
    expect(again.calls[0]).toEqual({ ...socket.calls[0], repeatedAfterMs: 2_500 });
    again.result('c3', 3);
    again.result('c1', 1);
    expect(await Promise.all([first, answered, second])).toEqual([1, null, 3]);
  });

  it('the time since the first sending counts from the first one, over several connections and a sleep', () => {
    const bench = open();
    // The wall clock stands still from here on.
    sleep(0);
    void bench.client.call('a');
    bench.reconnect();
    sleep(100_000);
    bench.reconnect();
    expect(bench.socket.calls[0]?.repeatedAfterMs).toBe(100_000);
  });

  it('a call that was sent has an unknown outcome when it has waited too long', async () => {
    const { client, clock, ends, note, socket } = open();
    note('a', client.call('a'));
    socket.lose();
    clock.pass(600_000);
    await settle();
    expect(ends).toEqual(['a: OUTCOME_UNKNOWN']);
  });

  it.each([CLOSE_CODES.notAdmitted, CLOSE_CODES.unattended])(
    'that the engine never admitted ($reason), calls go out as if they were not sent on it',
    ({ code, reason }) => {
      const bench = open();
      const { client, clock } = bench;
      void client.call('sent before');
      bench.reconnect();
      void client.call('never read');
      bench.socket.lose(code, reason);
      clock.pass(20_000);
      bench.socket.open();
      expect(bench.socket.calls.map(({ functionId, repeatedAfterMs }) => [functionId, repeatedAfterMs])).toEqual([
        ['sent before', 40_000],
        ['never read', undefined],
      ]);
    },
  );

  it('because a message was too large, the largest call is not sent again', async () => {
    const bench = open();
    bench.note('small', bench.client.call('a'));
    bench.note('large', bench.client.call('a', 'x'.repeat(10_000)));
    bench.reconnect(1009).result('c1');
    await settle();
    expect([bench.ends, ids(bench.socket)]).toEqual([['large: MESSAGE_TOO_LARGE', 'small: null'], ['c1']]);
  });
});

describe('an engine', () => {
  it('that stops gets no further call; what it refused goes to the next connection', async () => {
    const bench = open();
    const { client, socket } = bench;
    bench.note('a', client.call('a'));
    bench.note('b', client.call('b'));
    socket.error('c1', 'ENGINE_STOPPING');
    bench.note('c', client.call('c'));
    socket.result('c2', 2);
    expect(ids(socket)).toEqual(['c1', 'c2']);
    bench.reconnect(1012);
    // The engine did nothing with `a`, so the next engine gets it as a first one.
    expect(bench.socket.calls.map(({ functionId, repeatedAfterMs }) => [functionId, repeatedAfterMs])).toEqual([
      ['a', undefined],
      ['c', undefined],
    ]);
    bench.socket.result('c1', 1);
    bench.socket.result('c3', 3);
    await settle();
    expect(bench.ends).toEqual(['b: 2', 'a: 1', 'c: 3']);
  });

  it('that came back before its workers gets the calls again that it had to refuse, for 5 s', async () => {
    const bench = open();
    const { client, clock } = bench;
    bench.note('a', client.call('a'));
    bench.socket.lose();
    bench.note('b', client.call('b'));
    clock.pass(20_000);
    const { socket } = bench;
    socket.open();
    bench.note('c', client.call('c'));
    for (const callId of ['c1', 'c2', 'c3']) socket.error(callId, 'function_not_found');
    bench.note('d', client.call('d'));
    await settle();
    expect([bench.ends, socket.calls.length]).toEqual([['c: function_not_found'], 3]);
    clock.pass(500);
    expect(socket.calls.slice(3).map(({ callId, repeatedAfterMs }) => [callId, repeatedAfterMs !== undefined])).toEqual([
      ['c1', true],
      ['c2', false],
      ['c4', false],
    ]);
    socket.result('c1', 1);
    clock.pass(5_000);
    socket.error('c2', 'function_not_found');
    await settle();
    expect(bench.ends.slice(1)).toEqual(['a: 1', 'b: function_not_found']);
  });

  it('that is busy gets a call again that was sent before, for 30 s; then nobody knows whether it ran', async () => {
    const bench = open();
    const { client, clock } = bench;
    bench.note('a', client.call('a'));
    bench.note('b', client.call('b'));
    bench.socket.lose();
    clock.pass(20_000);
    const { socket } = bench;
    socket.open();
    bench.note('c', client.call('c'));
    for (const callId of ['c1', 'c2', 'c3']) socket.error(callId, 'OVERLOADED');
    await settle();
    // The engine got `c` once, so it did not run.
    expect(bench.ends).toEqual(['c: OVERLOADED']);
    clock.pass(500);
    expect(socket.calls.slice(3).map(({ callId, repeatedAfterMs }) => [callId, (repeatedAfterMs ?? 0) >= 20_000])).toEqual([
      ['c1', true],
      ['c2', true],
    ]);
    socket.result('c1', 1);
    clock.pass(30_000);
    socket.error('c2', 'OVERLOADED');
    await settle();
    expect(bench.ends.slice(1)).toEqual(['a: 1', 'b: OUTCOME_UNKNOWN']);
  });

  it.each(['OVERLOADED', 'function_not_found', 'ENGINE_STOPPING'])(
    'may send %s as the error of a function that ran: it ends the call at once, and later calls go on',
    async (code) => {
      const bench = open();
      bench.note('a', bench.client.call('a'));
      const socket = bench.reconnect();
      socket.error('c1', code, undefined, true);
      void bench.client.call('b');
      await settle();
      expect([bench.ends, ids(socket)]).toEqual([[`a: ${code}`], ['c1', 'c2']]);
    },
  );

  it('has at most 32 calls of a connection to answer; the next ones follow its answers', () => {
    const { client, socket } = open();
    for (let at = 0; at < 40; at++) client.call('a').catch(() => {});
    expect(socket.calls).toHaveLength(32);
    socket.result('c7');
    socket.error('c2', 'FORBIDDEN');
    expect(ids(socket).slice(32)).toEqual(['c33', 'c34']);
  });

  it('that sends no answer ends the call with TIMEOUT, 15 s after the time of the function', async () => {
    const { client, clock, ends, note, socket } = open();
    note('a', client.call('a', 1, { timeoutMs: 2_000 }));
    clock.pass(16_999);
    await settle();
    expect(ends).toEqual([]);
    clock.pass(1);
    socket.result('c1', 'late');
    await settle();
    expect(ends).toEqual(['a: TIMEOUT']);
  });

  it('of an older version has no calls: the client notices it by two questions, and does not wait', async () => {
    const { client, clock, ends, note, socket } = open();
    client.subscribeGroup('chat', 'r1');
    note('a', client.call('a'));
    socket.receive(syncing('s1'));
    clock.pass(1_000);
    expect(socket.sent.slice(2)).toEqual([
      { type: 'call', data: { callId: 'calls' } },
      { type: 'join', data: { subscriptionId: 'calls', streamName: '\u0000', groupId: '\u0000', positions: true } },
    ]);
    socket.receive(failure('INVALID_ID', 'calls'));
    await settle();
    expect(ends).toEqual(['a: CALLS_UNSUPPORTED']);
  });

  it('that knows calls answers the first question, and the call goes on', async () => {
    const { client, clock, ends, note, socket } = open();
    client.subscribeGroup('chat', 'r1');
    note('a', client.call('a'));
    clock.pass(1_000);
    expect(socket.sent).toHaveLength(2);
    socket.receive(syncing('s1'));
    socket.receive(sync(0, []));
    clock.pass(1_000);
    socket.error('calls', 'deserialization_error');
    socket.receive(failure('INVALID_ID', 'calls'));
    clock.pass(5_000);
    expect(socket.sent).toHaveLength(4);
    socket.result('c1', 1);
    await settle();
    expect(ends).toEqual(['a: 1']);
  });

  it('gets no question from the client after it has answered a call', () => {
    const { client, clock, socket } = open();
    client.subscribeGroup('chat', 'r1');
    void client.call('a');
    socket.receive(syncing('s1'));
    socket.receive(sync(0, []));
    socket.result('c1');
    void client.call('b');
    clock.pass(5_000);
    expect(socket.sent.map(({ type }) => type)).toEqual(['join', 'call', 'call']);
  });
});

describe('the end of a wait', () => {
  it('by a signal: a call that waits is never sent, and one that is sent is not waited for', async () => {
    const bench = open();
    const { client } = bench;
    const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()];
    first.abort('early');
    bench.note('never', client.call('a', 1, { signal: first.signal }));
    bench.note('sent', client.call('b', 1, { signal: second.signal }));
    bench.socket.lose();
    bench.note('waits', client.call('c', 1, { signal: third.signal }));
    const cause = client
      .call('d', 1, { signal: third.signal })
      .catch((error: unknown) => (error instanceof StreamError ? error.cause : error));
    third.abort('why');
    second.abort();
    bench.clock.pass(20_000);
    bench.socket.open();
    await settle();
    expect([bench.ends, bench.socket.calls]).toEqual([['never: ABORTED', 'waits: ABORTED', 'sent: ABORTED'], []]);
    expect(await cause).toBe('why');
  });

  it('by a signal keeps the place of a call on its connection until its answer comes', () => {
    const { client, socket } = open();
    const controller = new AbortController();
    void client.call('a', 1, { signal: controller.signal }).catch(() => {});
    for (let at = 0; at < 32; at++) void client.call('a');
    controller.abort();
    expect(socket.calls).toHaveLength(32);
    socket.result('c1');
    expect(socket.calls).toHaveLength(33);
  });

  it('by close rejects all calls, and leaves no timer behind', async () => {
    const bench = open();
    bench.note('sent', bench.client.call('a'));
    bench.socket.lose();
    bench.note('waits', bench.client.call('b'));
    const closed = bench.client.close();
    bench.note('late', bench.client.call('c'));
    await closed;
    await settle();
    expect(bench.ends).toEqual(['sent: CLOSED', 'waits: CLOSED', 'late: CLOSED']);
    expect(bench.clock.pending).toBe(0);
  });
});

/** Lets time pass for the wall clock only, as while a device sleeps. */
function sleep(ms: number): void {
  const wakesAt = Date.now() + ms;
  const spy = vi.spyOn(Date, 'now').mockReturnValue(wakesAt);
  onTestFinished(() => spy.mockRestore());
}
