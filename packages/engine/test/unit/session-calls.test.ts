import { decodeStreamFrame, LIMITS, type StreamCall } from '@rivulet/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { FunctionFabric } from '../../src/core/fabric/function-fabric.js';
import type { Outcome } from '../../src/core/fabric/invocation.js';
import { silentLogger } from '../../src/logging/logger.js';
import type { GroupRef, ItemRead } from '../../src/store/store.js';
import type { CallLedger, LedgerEntry } from '../../src/stream/calls/call-ledger.js';
import { GroupHeads } from '../../src/stream/calls/group-heads.js';
import { PageCalls } from '../../src/stream/calls/page-calls.js';
import { SessionCalls } from '../../src/stream/calls/session-calls.js';
import { settled } from '../hub-world.js';

/** Returns the text of a finished WebSocket frame. */
function textOf(frame: Buffer): string {
  const length = frame.readUInt8(1);
  return frame.subarray(length < 126 ? 2 : length === 126 ? 4 : 10).toString();
}

/** The calls of one session, over a socket that the test opens and closes. Its functions are the engine's own. */
function world(read: (ref: GroupRef) => Promise<ItemRead> = () => Promise.reject(new Error('unused')), ledger?: CallLedger) {
  const fabric = new FunctionFabric(silentLogger);
  const running: ((outcome: Outcome) => void)[] = [];
  fabric.registerBuiltin('app::echo', ({ payload }) => ({ kind: 'result', text: payload.text }), '');
  fabric.registerBuiltin('app::slow', () => new Promise((resolve) => running.push(resolve)), '');
  const heads = new GroupHeads({ get: read, keeps: (_operation, stream) => stream !== 'served' }, silentLogger);
  const config = { exposeFunctions: [{ kind: 'match', pattern: 'app::*' } as const], middlewareFunction: undefined, callTimeoutMs: 1_000 };
  const calls = new PageCalls({ fabric, config: { ...config, exposeFunctions: ids.map(literal) }, ledger, heads, logger: silentLogger });
  const written: Buffer[] = [];
  const waiting: (() => void)[] = [];
  const socket = {
    isOpen: true,
    overruns: 0,
    failures: [] as unknown[],
    async writeWhenReady(frame: Buffer): Promise<void> {
      if (!socket.isOpen) await new Promise<void>((resolve) => waiting.push(resolve));
      written.push(frame);
    },
    overrun: () => void socket.overruns++,
    inBackground: (work: Promise<void>) => void work.catch((error: unknown) => socket.failures.push(error)),
    reads: async () => {
      socket.isOpen = true;
      for (const resolve of waiting.splice(0)) resolve();
      await settled();
    },
  };
  const watched = new Set(['board']);
  const session = {
    sessionId: 's1',
    remoteAddress: '10.0.0.1',
    access: { context: null },
    watches: ({ stream }: GroupRef) => watched.has(stream),
    confirm: () => {},
  };
  const page = new SessionCalls(calls, socket, session);
  const make = (callId: string, more: Partial<StreamCall> = {}, chars = 10) => {
    const absent = { idempotencyKey: undefined, repeatedAfterMs: undefined, timeoutMs: undefined, inexactNumbers: false };
    page.make({ type: 'call', callId, functionId: 'app::echo', data: 1, confirm: [], ...absent, ...more }, chars);
  };
  const answers = () =>
    written.map((frame) => decodeStreamFrame(textOf(frame))).map((decoded) => (decoded.kind === 'message' ? decoded.message : decoded));
  return { fabric, calls, page, make, socket, session, running, answers, watched, waiting };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

const ids = ['app::echo', 'app::slow'];
const literal = (pattern: string) => ({ kind: 'match', pattern }) as const;

it('a client that reads no answers gets at most two megabytes of results; the others become OUTCOME_UNKNOWN', async () => {
  const { make, socket, answers, page } = world();
  socket.isOpen = false;
  for (let index = 0; index < 20; index++) make(`c${index}`, { data: 'x'.repeat(1_000_000) });
  await settled();
  expect([answers(), page.unanswered]).toEqual([[], 20]);
  await socket.reads();
  const kinds = answers().map((answer) => ('code' in answer ? answer.code : 'result'));
  expect(kinds).toEqual(['result', 'result', ...Array.from({ length: 18 }, () => 'OUTCOME_UNKNOWN')]);
  make('c0', { data: 'x'.repeat(1_000_000) });
  await settled();
  expect([answers().at(-1), page.unanswered, socket.failures]).toMatchObject([{ type: 'result', callId: 'c0' }, 0, []]);
});

it('a client that floods the engine and reads nothing is closed', async () => {
  const { page, socket, answers } = world();
  socket.isOpen = false;
  for (let index = 0; index < LIMITS.clientInFlightCalls; index++) page.refuse(`c${index}`, 'deserialization_error', 'm');
  expect(socket.overruns).toBe(0);
  page.refuse(undefined, 'deserialization_error', 'm');
  expect(socket.overruns).toBe(1);
  await socket.reads();
  expect(answers()).toHaveLength(LIMITS.clientInFlightCalls);
  page.refuse(undefined, 'deserialization_error', 'm');
  await settled();
  expect([answers().at(-1), socket.overruns]).toEqual([
    { type: 'error', subscriptionId: undefined, code: 'deserialization_error', message: 'm' },
    1,
  ]);
});

it('RV-62: positions are read when the function has answered, of groups that the session watches then', async () => {
  let offset = 7;
  const read: GroupRef[] = [];
  const { make, running, answers, watched } = world((ref) => {
    read.push(ref);
    return Promise.resolve({ value: undefined, position: { epoch: 'e', offset }, timestamp: 0 });
  });
  watched.clear();
  const confirm = ['board', 'served', 'hidden'].map((streamName) => ({ streamName, groupId: 'main' }));
  make('c1', { functionId: 'app::slow', confirm });
  expect(read).toEqual([]);
  offset = 8;
  watched.add('board').add('served');
  running[0]?.({ kind: 'result', text: '1' });
  await settled();
  const positions = [{ streamName: 'board', groupId: 'main', epoch: 'e', offset: 8 }, undefined, undefined];
  expect(answers()).toEqual([{ type: 'result', callId: 'c1', result: 1, positions }]);
  expect(read).toEqual([{ stream: 'board', group: 'main' }]);
});

it('RV-62: a store that fails costs the position, and not the answer', async () => {
  const { make, answers, socket } = world(() => Promise.reject(new Error('no store')));
  make('c1', { confirm: [{ streamName: 'board', groupId: 'main' }] });
  await settled();
  expect([answers(), socket.failures]).toEqual([[{ type: 'result', callId: 'c1', result: 1, positions: [undefined] }], []]);
});

it('a session that has ended gets nothing more, and leaves nothing behind', async () => {
  const { make, page, answers, running, fabric, calls, socket } = world();
  make('c1', { functionId: 'app::slow' });
  make('c2', { confirm: [{ streamName: 'board', groupId: 'main' }] });
  expect(fabric.pages.has('s1')).toBe(true);
  page.close(false);
  for (const end of running) end({ kind: 'result', text: '1' });
  page.refuse('c3', 'deserialization_error', 'm');
  await settled();
  expect([answers(), page.unanswered, fabric.pages.size, calls.counts.running, socket.failures]).toEqual([[], 0, 0, 0, []]);
});

it('a call with a key keeps its place while its function runs, also after TIMEOUT', async () => {
  const { make, page, answers, running } = world();
  for (let index = 0; index < LIMITS.clientInFlightCalls; index++)
    make(`c${index}`, { functionId: 'app::slow', idempotencyKey: `k${index}`, timeoutMs: 1 });
  vi.advanceTimersByTime(1);
  await settled();
  expect([running.length, page.unanswered]).toEqual([LIMITS.clientInFlightCalls, 0]);
  make('more');
  await settled();
  expect(answers().at(-1)).toMatchObject({ callId: 'more', code: 'OVERLOADED' });
  running[0]?.({ kind: 'result', text: '1' });
  await settled();
  make('again');
  await settled();
  expect(answers().at(-1)).toMatchObject({ callId: 'again', result: 1 });
});

it('the name of a session stays until its last call has ended, because functions may pass it on', async () => {
  const { make, page, running, fabric, calls } = world();
  make('c1', { functionId: 'app::slow', idempotencyKey: 'k1' });
  make('c2', { functionId: 'app::slow', idempotencyKey: 'k2', timeoutMs: 1 });
  vi.advanceTimersByTime(1);
  await settled();
  page.close(false);
  for (const [index, end] of running.entries()) {
    expect([index, fabric.pages.has('s1')]).toEqual([index, true]);
    end({ kind: 'result', text: '1' });
    await settled();
  }
  expect([running.length, fabric.pages.size, calls.counts.running]).toEqual([2, 0, 0]);
});

it.each<[string, Partial<StreamCall>]>([
  ['with a key', { idempotencyKey: 'k' }],
  ['without a key', {}],
])('calls %s give their places and their characters back when their time is over', async (_name, more) => {
  const { make, answers, calls, running } = world();
  const most = LIMITS.clientInFlightCalls;
  for (let round = 1; round <= 3; round++) {
    for (let index = 0; index < most; index++)
      make(`c${index}`, { functionId: 'app::slow', timeoutMs: 1, ...more }, LIMITS.clientInFlightChars / most);
    make('one more', { functionId: 'app::slow' }, 1);
    await settled();
    expect([round, running.length, answers().length]).toEqual([round, round * most, (round - 1) * (most + 1) + 1]);
    expect(answers().at(-1)).toMatchObject({ callId: 'one more', code: 'OVERLOADED' });
    for (const passed of [1, 999]) {
      vi.advanceTimersByTime(passed);
      await settled();
    }
    expect([answers().length, calls.counts.running, calls.counts.chars]).toEqual([round * (most + 1), 0, 0]);
  }
});

it('the end of its access reaches a call that has timed out, and whose start the ledger still stores', async () => {
  const begun: ((entry: LedgerEntry) => void)[] = [];
  const ends: string[] = [];
  const ended = (how: string) => () => Promise.resolve(void ends.push(how));
  const { make, page, answers, running, calls } = world(undefined, {
    begin: () => new Promise((give) => begun.push(give)),
    findOutcome: () => Promise.resolve(undefined),
  });
  for (const key of ['k1', 'k2']) make(key, { functionId: 'app::slow', idempotencyKey: key, timeoutMs: 1 });
  begun[0]?.({ kind: 'run', run: { finish: ended('finished'), release: ended('released'), abandon: ended('abandoned') } });
  await settled();
  vi.advanceTimersByTime(1);
  await settled();
  expect(answers()).toMatchObject([{ code: 'TIMEOUT' }, { code: 'TIMEOUT' }]);
  page.close(true);
  begun[1]?.({ kind: 'run', run: { finish: ended('finished'), release: ended('released'), abandon: ended('abandoned') } });
  await settled();
  expect([running.length, ends, calls.counts.running]).toEqual([1, ['released'], 1]);
  running[0]?.({ kind: 'result', text: '1' });
  await settled();
  expect([ends, calls.counts.running]).toEqual([['released', 'finished'], 0]);
});
