import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Attempt, CHAOS_COUNT, CHAOS_SEED, CHAOS_TIMEOUT_MS, Chaos, type Mood } from '../harness/chaos.js';

const EACH = Math.ceil(CHAOS_COUNT / 5);
const THIRD = Math.ceil(EACH / 3);
/** Least share of right answers that must count. On a busy machine some answers come too late. */
const MOST = 0.5;
const SEED = `(seed ${CHAOS_SEED})`;
const NO_OBJECT = [undefined, null, [], [{}], 'yes', 1, true];
const match = (pattern: string) => ({ kind: 'match', pattern }) as const;

/**
 * Returns the outcome that a client sees: how the engine refused it, or what it could read. Each client has an address of its own, so that
 * no throttle applies.
 */
function openOnce(url: string, n: number): Promise<string> {
  return new Promise((resolve) => {
    const localAddress = `127.1.${(n >> 8) & 255}.${n & 255}`;
    const socket = new WebSocket(`${url}?n=${n}`, { perMessageDeflate: false, localAddress });
    const end = (outcome: string) => {
      resolve(outcome);
      socket.terminate();
    };
    socket.on('error', () => {});
    socket.once('open', () => {
      socket.send(JSON.stringify({ type: 'join', data: { subscriptionId: 's', streamName: 'chat', groupId: 'room' } }));
      socket.send(JSON.stringify({ type: 'invokefunction', invocation_id: 'i', function_id: 'api::target', data: {} }));
    });
    socket.once('message', (data) => end(String((JSON.parse((data as Buffer).toString()) as Frame).type)));
    socket.once('unexpected-response', (_request, response) => {
      response.resume();
      end(`HTTP ${response.statusCode}`);
    });
    socket.once('close', (code) => end(`closed ${code}`));
  });
}

/** Returns the number of the attempt, which the auth function reads from the query. */
const numberOf = (data: unknown) => Number((data as { query_params: { n: string[] } }).query_params.n[0]);

/** Counts the outcomes of attempts, apart for those with a right answer. */
class Seen {
  readonly wrong = new Set<string>();
  readonly right: string[] = [];

  add(right: boolean, outcome: string): void {
    if (right) this.right.push(outcome);
    else this.wrong.add(outcome);
  }

  /** Returns the count of right answers with this outcome. */
  letIn(as: string): number {
    return this.right.filter((outcome) => outcome === as).length;
  }
}

test(`${EACH} random failures of the auth function of streams let nobody in ${SEED}`, async () => {
  const { workerUrl, streamUrl } = await startTestEngine({ stream: { authFunction: 'app::auth', authTimeoutMs: CHAOS_TIMEOUT_MS } });
  const moods = new Map<number, Mood<object>>();
  const chaos = new Chaos<object>(workerUrl, ['app::auth'], [...NO_OBJECT, { unauthorized: true }], async (worker, answer) => {
    await worker.serve('app::auth', (data) => answer(moods.get(numberOf(data)) ?? (() => null), { context: {} }));
    await worker.result('stream::set', { stream_name: 'chat', group_id: 'room', item_id: 'secret', data: 1 });
  });
  const seen = new Seen();
  const { right } = await chaos.run(EACH, async ({ n, mood, right }) => {
    moods.set(n, mood);
    seen.add(right, await openOnce(`${streamUrl}/stream/chat/room`, n));
  });
  expect([...seen.wrong].sort()).toEqual(['closed 1008', 'closed 1013']);
  expect(seen.letIn('stream')).toBeGreaterThan(right * MOST);
});

test(`${EACH} random failures of join functions let nobody in ${SEED}`, async () => {
  const { workerUrl, streamUrl } = await startTestEngine({ stream: { joinFailClosed: true, joinTimeoutMs: CHAOS_TIMEOUT_MS } });
  const moods = new Map<string, Mood<object>>();
  const left: string[] = [];
  const wrong = [...NO_OBJECT, { unauthorized: true }, { unauthorized: 'true' }, { unauthorized: 1 }];
  const chaos = new Chaos<object>(workerUrl, ['app::join'], wrong, async (worker, answer) => {
    const moodOf = (data: unknown) => moods.get((data as { subscription_id: string }).subscription_id);
    await worker.serve('app::join', (data) => answer(moodOf(data) ?? (() => ({ unauthorized: true })), {}));
    await worker.bind('stream:join', 'app::join', {});
  });
  const observer = await RawWorker.connect(workerUrl);
  await observer.serve('app::leave', (data) => void left.push((data as { group_id: string }).group_id));
  await observer.bind('stream:leave', 'app::leave', {});
  const set = (item: string) => observer.result('stream::set', { stream_name: 'chat', group_id: 'room', item_id: item, data: item });
  await set('secret');
  const open = (count: number) => Promise.all(Array.from({ length: count }, () => StreamSocket.open(streamUrl)));
  const outside = await open(50);
  const inside = await open(5);
  const allows = [{}, { unauthorized: false }, { unauthorized: null }];
  const seen = new Seen();
  const { right } = await chaos.run(EACH, async ({ n, mood, right }) => {
    const socket = (right ? inside : outside)[n % (right ? inside : outside).length] as StreamSocket;
    moods.set(`s${n}`, right ? () => allows[n % allows.length] : mood);
    const answered = socket.inbox.take(() => true, 'an answer to the join');
    socket.join(`s${n}`, 'chat', right ? 'open' : 'room');
    seen.add(right, (await answered).event.type);
  });
  expect([...seen.wrong]).toEqual(['unauthorized']);
  expect(seen.letIn('sync')).toBeGreaterThan(right * MOST);
  await set('later');
  for (const socket of outside) {
    await socket.settled();
    expect(new Set(socket.kinds())).toEqual(new Set(['unauthorized']));
    await socket.close();
  }
  await observer.settled();
  expect(left.filter((group) => group === 'room')).toEqual([]);
});

test(`RB-10 ${EACH} random failures of the auth function of a listener with rules let nobody in ${SEED}`, async () => {
  const { guestUrl, workerUrl } = await startTestEngine({
    guest: { rbac: { authFunction: 'app::auth', authTimeoutMs: CHAOS_TIMEOUT_MS } },
  });
  const observer = await RawWorker.connect(workerUrl);
  const connected: Frame[] = [];
  await observer.serve('test::workers', (event) => void connected.push(event as Frame));
  await observer.bind('engine::workers-available', 'test::workers', {});
  const moods = new Map<number, Mood<object>>();
  const wrong = [
    ...NO_OBJECT,
    { unauthorized: true },
    { allowed_functions: 'api::*' },
    { allowed_functions: [1] },
    { forbidden_functions: {} },
    { allowed_trigger_types: 'all' },
    { allow_function_registration: 'yes' },
    { allow_trigger_type_registration: 1 },
    { function_registration_prefix: '' },
    { function_registration_prefix: ['p'] },
    { namespaces: [] },
    { namespaces: { default: 'api::*' } },
  ];
  const chaos = new Chaos<object>(workerUrl, ['app::auth'], wrong, async (worker, answer) => {
    await worker.serve('app::auth', (data) => answer(moods.get(numberOf(data)) ?? (() => null), {}));
  });
  const seen = new Seen();
  const { right } = await chaos.run(EACH, async ({ n, mood, right }) => {
    moods.set(n, mood);
    seen.add(right, await openOnce(guestUrl, n));
  });
  expect([...seen.wrong].sort()).toEqual(['HTTP 401', 'HTTP 503']);
  const letIn = seen.letIn('workerregistered');
  expect(letIn).toBeGreaterThan(right * MOST);
  // The registry reports the sessions that got in, and the workers that decided.
  const last = await RawWorker.connect(workerUrl);
  const lastId = await last.workerId();
  await observer.take('invokefunction', ({ data }) => (data as Frame | null)?.worker_id === lastId);
  expect(connected.filter(({ event }) => event === 'worker_connected')).toHaveLength(chaos.workers + letIn + 1);
});

const HOOKS = {
  registerfunction: {
    hook: 'app::on-function',
    idKey: 'function_id',
    wrong: [{ function_id: 1 }, { function_id: '' }, { description: [] }, { function_id: 'app::on-trigger' }],
  },
  registertrigger: {
    hook: 'app::on-trigger',
    idKey: 'trigger_id',
    wrong: [{ trigger_id: {} }, { trigger_type: 7 }, { config: 'x' }, { config: [] }, { function_id: 'hidden' }],
  },
  registertriggertype: {
    hook: 'app::on-type',
    idKey: 'trigger_type_id',
    wrong: [{ trigger_type_id: [] }, { trigger_type_id: '' }, { description: 1 }, { trigger_type_id: 'stream' }],
  },
} as const;

test.each(Object.entries(HOOKS))(
  `RB-7 ${THIRD} random failures of the hook for %s let nothing in ${SEED}`,
  async (type, { hook, idKey, wrong }) => {
    const rbac = { hookTimeoutMs: CHAOS_TIMEOUT_MS, exposeFunctions: [match('api::*')] };
    const hooks = {
      registerfunction: { onFunctionRegistration: hook },
      registertrigger: { onTriggerRegistration: hook },
      registertriggertype: { onTriggerTypeRegistration: hook },
    }[type];
    const { guestUrl, workerUrl } = await startTestEngine({ guest: { rbac: { ...rbac, ...hooks } } });
    const moods = new Map<string, Mood<object>>();
    const chaos = new Chaos<object>(workerUrl, [hook], [...NO_OBJECT, ...wrong], async (worker, answer) => {
      await worker.serve(hook, (data) => answer(moods.get(String((data as Frame)[idKey])) ?? (() => ({})), {}));
    });
    const trusted = await RawWorker.connect(workerUrl);
    let ran = 0;
    await trusted.serve('api::on', () => void ran++);
    await trusted.serve('hidden', () => void (ran += 1_000_000));
    const sessions = await Promise.all(Array.from({ length: 50 }, () => RawWorker.connect(guestUrl)));
    const config = { stream_name: 's' };
    const more = type === 'registertrigger' ? { trigger_type: 'stream', function_id: 'api::on', config } : { description: 'd' };
    const { right } = await chaos.run(THIRD, async ({ n, mood, right }) => {
      const id = `${right ? 'right' : 'wrong'}-${n}`;
      moods.set(id, mood);
      const session = sessions[n % sessions.length] as RawWorker;
      session.send({ type, id, ...more });
      await session.settled();
    });
    const rows = JSON.stringify([
      await trusted.result('engine::functions::list', {}),
      await trusted.result('engine::registered-triggers::list', {}),
      await trusted.result('engine::trigger-types::list', {}),
    ]);
    expect(rows.match(/wrong-\d+/g)).toBeNull();
    const ids = new Set(rows.match(/right-\d+/g));
    expect(ids.size).toBeGreaterThan(right * MOST);
    await trusted.result('stream::send', { stream_name: 's', group_id: 'g', type: 't', data: 1 });
    if (type === 'registertrigger')
      for (const _ of ids) await trusted.take('invokefunction', ({ function_id }) => function_id === 'api::on');
    await trusted.settled();
    expect(ran).toBe(type === 'registertrigger' ? ids.size : 0);
  },
);

test(`${EACH} random failures of middleware run no target ${SEED}`, async () => {
  const manager = { middlewareFunction: 'app::mw' };
  const { guestUrl, workerUrl } = await startTestEngine({ guest: { manager, rbac: { exposeFunctions: [match('api::*')] } } });
  const trusted = await RawWorker.connect(workerUrl);
  const ran: number[] = [];
  await trusted.serve('api::target', (data) => {
    ran.push((data as { n: number }).n);
    return 'from the target';
  });
  const moods = new Map<number, Mood<object>>();
  const wrong = [...NO_OBJECT, {}, { function_id: 'api::target', payload: { n: -1 } }];
  const chaos = new Chaos<object>(workerUrl, ['app::mw'], wrong, async (worker, answer) => {
    await worker.serve('app::mw', async (data) => {
      const { function_id, payload } = data as { function_id: string; payload: { n: number } };
      const decided = await answer(moods.get(payload.n) ?? (() => null), payload);
      return decided === payload && payload.n >= EACH ? worker.result(function_id, payload) : decided;
    });
  });
  const sessions = await Promise.all(Array.from({ length: 20 }, () => RawWorker.connect(guestUrl)));
  const seen = new Seen();
  const make = async ({ n, right }: Attempt<object>): Promise<unknown> => {
    const session = sessions[n % sessions.length] as RawWorker;
    if (right || n % 5 > 0) return (await session.call('api::target', { n })).result;
    const action = n % 2 === 0 ? { type: 'void' } : { type: 'enqueue', queue: 'q' };
    session.send({ type: 'invokefunction', function_id: 'api::target', data: { n }, action });
    return undefined;
  };
  const { right } = await chaos.run(EACH, async (attempt) => {
    moods.set(attempt.n, attempt.mood);
    const result = await make(attempt);
    seen.add(attempt.right, result === 'from the target' ? 'ran' : 'answered');
  });
  await trusted.settled();
  expect([...seen.wrong]).toEqual(['answered']);
  expect(seen.letIn('ran')).toBe(right);
  expect(ran.sort((a, b) => a - b)).toEqual(Array.from({ length: right }, (_, n) => EACH + n));
});
