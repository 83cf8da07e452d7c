import { once } from 'node:events';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';

// `iii-browser-sdk` can't be installed. This test sends its known frames (spec RB §5.7) as text, for each generation.

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const FUNCTION = '{"type":"registerfunction","id":"ui::on","description":"Shows what came","metadata":{"page":true}}';
const TRIGGER_ID = '0b0c0d0e-1111-4222-8333-444455556666';
const TRIGGER = `{"type":"registertrigger","id":"${TRIGGER_ID}","trigger_type":"stream","function_id":"ui::on","config":{"stream_name":"chat","group_id":"room-1"}}`;
const OS = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36';
const ANNOUNCE = `{"type":"invokefunction","function_id":"engine::workers::register","data":{"runtime":"browser","name":"browser:1a2b3c4d","os":"${OS}","namespace":"default"},"action":{"type":"void"},"namespace":"default"}`;

interface Generation {
  readonly versions: string;
  readonly reattaches: boolean;
  readonly announces: boolean;
  /** Returns the frame of a call. */
  readonly call: (id: string, functionId: string, data: string) => string;
}

const call = (id: string, functionId: string, data: string) =>
  `{"type":"invokefunction","invocation_id":"${id}","function_id":"${functionId}","data":${data}}`;

const GENERATIONS: readonly Generation[] = [
  { versions: 'up to 0.12', reattaches: false, announces: false, call },
  { versions: '0.13 to 0.21.7', reattaches: false, announces: false, call },
  { versions: '0.21.8 to 0.22.1', reattaches: true, announces: false, call },
  {
    versions: '0.23',
    reattaches: true,
    announces: true,
    call: (id, functionId, data) => call(id, functionId, data).replace(/}$/, ',"namespace":"default"}'),
  },
];

/** The socket of a page. It sends text, has only the headers of a browser, and answers pings by itself. */
class Tab {
  readonly socket: WebSocket;
  readonly inbox = new Inbox<Frame>();
  readonly closed: Promise<unknown>;
  binaryFrames = 0;
  pings = 0;

  constructor(url: string) {
    this.socket = new WebSocket(url, { origin: 'https://app.example.com', headers: { 'user-agent': OS } });
    this.closed = once(this.socket, 'close').catch(() => {});
    this.socket.on('error', () => {});
    this.socket.on('ping', () => void this.pings++);
    this.socket.on('message', (data, isBinary) => {
      if (isBinary) this.binaryFrames++;
      this.inbox.push(JSON.parse((data as Buffer).toString()) as Frame);
    });
    onTestFinished(() => this.socket.terminate());
  }

  /** Connects and sends the first frames of a client. `before`: the `workerregistered` of its last connection, if it reconnects. */
  static async open(url: string, { reattaches, announces }: Generation, before?: Frame): Promise<Tab> {
    const tab = new Tab(url);
    await once(tab.socket, 'open');
    const { worker_id, reattach_token } = before ?? {};
    if (before !== undefined && reattaches)
      tab.socket.send(JSON.stringify({ type: 'reattach', previous_worker_id: worker_id, reattach_token }));
    if (announces) tab.socket.send(ANNOUNCE);
    tab.socket.send(FUNCTION);
    tab.socket.send(TRIGGER);
    return tab;
  }

  take(type: string, also: (frame: Frame) => boolean = () => true): Promise<Frame> {
    return this.inbox.take((frame) => frame.type === type && also(frame), `a ${type} frame`);
  }

  async answer(frame: string, id: string): Promise<Frame> {
    this.socket.send(frame);
    return this.take('invocationresult', ({ invocation_id }) => invocation_id === id);
  }

  /** Answers the next call, as the SDK does. */
  async run(result: string): Promise<unknown> {
    const { invocation_id, function_id, data } = await this.take('invokefunction');
    if (function_id !== 'ui::on') throw new Error(`it is asked for ${String(function_id)}`);
    this.socket.send(`{"type":"invocationresult","invocation_id":"${String(invocation_id)}","function_id":"ui::on","result":${result}}`);
    return data;
  }
}

async function start() {
  const exposeFunctions = [{ kind: 'match', pattern: 'api::*' } as const];
  const manager = { pingIntervalMs: 50, pongTimeoutMs: 5_000 };
  const engine = await startTestEngine({ guest: { manager, rbac: { authFunction: 'app::auth', exposeFunctions } } });
  const worker = await RawWorker.connect(engine.workerUrl);
  const asked: Frame[] = [];
  await worker.serve('app::auth', (data) => {
    asked.push(data as Frame);
    return (data as { query_params: { api_key?: string[] } }).query_params.api_key?.[0] === 'k+ 1' ? {} : { unauthorized: true };
  });
  await worker.serve('api::hello', (data) => data);
  await worker.serve('hidden', () => 'never');
  const set = (item: string) => worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id: item, data: item });
  return { ...engine, worker, asked, set, url: `${engine.guestUrl}?api_key=k%2B%201` };
}

test.each(GENERATIONS)(
  'the frames of iii-browser-sdk $versions: token, registration, calls, events, text only, pings',
  async (generation) => {
    const { url, worker, asked, set } = await start();
    const tab = await Tab.open(url, generation);
    const registered = await tab.take('workerregistered');
    expect(tab.inbox.all[0]).toBe(registered);
    expect(registered).toEqual({
      type: 'workerregistered',
      worker_id: expect.stringMatching(UUID),
      reattach_token: expect.stringMatching(UUID),
    });
    expect(asked).toMatchObject([
      { query_params: { api_key: ['k+ 1'] }, headers: { origin: 'https://app.example.com', 'user-agent': OS } },
    ]);
    const said = await tab.answer(generation.call('c-1', 'api::hello', '{"n":1}'), 'c-1');
    expect(said).toMatchObject({ function_id: 'api::hello', result: { n: 1, _caller_worker_id: registered.worker_id } });
    expect(said).not.toHaveProperty('error');
    const refused = await tab.answer(generation.call('c-2', 'hidden', 'null'), 'c-2');
    expect(refused.error).toEqual({ code: 'FORBIDDEN', message: expect.stringContaining('not allowed') });
    expect(refused).not.toHaveProperty('result');
    tab.socket.send('{"type":"invokefunction","function_id":"api::hello","data":{"void":true},"action":{"type":"void"}}');
    await worker.take('invokefunction', ({ data }) => (data as Frame | null)?.void === true);

    const result = worker.result('ui::on', { big: 'x'.repeat(100_000) });
    expect(await tab.run('{"shown":true}')).toMatchObject({ big: expect.any(String) });
    expect(await result).toEqual({ shown: true });
    await set('m1');
    expect(await tab.run('null')).toMatchObject({ id: 'm1', streamName: 'chat', groupId: 'room-1' });
    const { workers } = (await worker.result('engine::workers::list', {})) as { workers: { id: string }[] };
    expect(workers.map(({ id }) => id)).not.toContain(registered.worker_id);

    const pings = tab.pings;
    for (let n = 0; n < 2; n++) await once(tab.socket, 'ping');
    expect(tab.pings).toBeGreaterThan(pings);
    expect(tab.socket.readyState).toBe(WebSocket.OPEN);
    expect(tab.binaryFrames).toBe(0);
    tab.socket.send('{"type":"unregistertrigger","id":"0b0c0d0e-1111-4222-8333-444455556666"}');
    tab.socket.send('{"type":"unregisterfunction","id":"ui::on"}');
    await tab.answer(generation.call('c-3', 'api::hello', 'null'), 'c-3');
    expect(await worker.errorCode('ui::on', {})).toBe('function_not_found');
  },
);

test.each(GENERATIONS)('a page with iii-browser-sdk $versions that comes back takes over from its old socket', async (generation) => {
  const { url, worker, set } = await start();
  const old = await Tab.open(url, generation);
  const before = await old.take('workerregistered');
  await old.answer(generation.call('c-1', 'api::hello', 'null'), 'c-1');
  const tab = await Tab.open(url, generation, before);
  await tab.answer(generation.call('c-2', 'api::hello', 'null'), 'c-2');
  // A client that does not send `reattach` leaves its old socket open.
  if (generation.reattaches) await old.closed;
  expect(old.socket.readyState).toBe(generation.reattaches ? WebSocket.CLOSED : WebSocket.OPEN);
  await set('m1');
  expect(await tab.run('null')).toMatchObject({ id: 'm1' });
  const called = worker.result('ui::on', {});
  await tab.run('"new"');
  expect(await called).toBe('new');
  old.socket.terminate();
  await old.closed;
  await set('m2');
  expect(await tab.run('null')).toMatchObject({ id: 'm2' });
  expect(old.inbox.all.filter(({ type }) => type === 'invokefunction')).toEqual([]);
  expect(tab.inbox.all.filter(({ type }) => type === 'invokefunction')).toHaveLength(3);
  expect(old.binaryFrames + tab.binaryFrames).toBe(0);
});

test('a page with a wrong token, or none, gets no socket and no frame', async () => {
  const { guestUrl, worker } = await start();
  for (const query of ['', '?api_key=k%20+1', '?api_key=wrong', '?API_KEY=k%2B%201']) {
    const tab = new Tab(guestUrl + query);
    await expect(once(tab.socket, 'open')).rejects.toThrow('401');
    await tab.closed;
    expect(tab.inbox.all).toEqual([]);
  }
  expect(await worker.errorCode('ui::on', {})).toBe('function_not_found');
});
