import { randomUUID } from 'node:crypto';
import { isIP } from 'node:net';
import { holds, Mismatch, same } from '../../peers/check.js';
import { roundTrip, UpgradeRefused, within } from '../../peers/peer-socket.js';
import { Failure, type Frame, type Handler } from '../../peers/peer-worker.js';
import type { Case, CaseContext } from '../../runner/case.js';

const needs = ['worker', 'rbac'] as const;
/** Metadata of a function that the listener exposes. It also exposes ids that match its patterns. */
const EXPOSED = { conformance_exposed: true, conformance_tier: 'pro-2' };

export const rbacCallCases: readonly Case[] = [
  {
    rules: ['RB-1'],
    title: 'auth is called once per connection, with headers, decoded query and address, and nothing else',
    needs,
    async run(context) {
      const gate = await context.gate();
      const inputs: Frame[] = [];
      gate.answer('auth', (data) => {
        inputs.push(data as Frame);
        return {};
      });
      await (await context.session('/?api_key=a%20b&api_key=c&flag', { headers: { 'X-Test-Token': 'abc' } })).registration();
      const [{ headers, query_params, ip_address, ...more } = {} as Frame] = inputs;
      same((headers as Frame | undefined)?.['x-test-token'], 'abc', 'a header');
      same(query_params, { api_key: ['a b', 'c'], flag: [''] }, 'the query');
      holds(isIP(String(ip_address)) > 0, 'the address has no port', ip_address);
      same(more, {}, 'what else is in the input');
      await (await context.session()).settled();
      same(inputs.length, 2, 'how often auth was called for two connections');
    },
  },
  {
    rules: ['RB-2', 'RB-3'],
    title: 'forbidden, then allowed, then infrastructure, then the rules, else FORBIDDEN, also for what does not exist',
    needs,
    async run(context) {
      const gate = await context.gate();
      const exposed = (what: string) => `${context.name(what)}::exposed`;
      const [mine, other] = [context.name('mine'), context.name('other')];
      const [off, on, behind, before] = [exposed('off'), exposed('a::b'), `${exposed('x')}::more`, `x${exposed('y')}`];
      gate.grant({ allowed_functions: [mine, off], forbidden_functions: [off, 'engine::channels::create'] });
      for (const id of [mine, other, off, on, behind, before]) await gate.worker.serve(id, () => id);
      const session = await context.session();
      for (const id of [mine, on]) same(await session.result(id, {}), id, `a call of ${id}`);
      same(await session.result('engine::workers::register', {}), { success: true }, 'a call of infrastructure');
      for (const id of [off, 'engine::channels::create', other, behind, before, context.name('nobody'), 'engine::health::check'])
        same((await session.errorOf(id, {})).code, 'FORBIDDEN', `the code for ${id}`);
    },
  },
  {
    rules: ['RB-2'],
    title: 'a rule of metadata needs all its keys with values of their types',
    needs,
    async run(context) {
      const gate = await context.gate();
      const functions: Readonly<Record<string, Frame>> = {
        both: EXPOSED,
        one: { conformance_exposed: true },
        text: { ...EXPOSED, conformance_exposed: 'true' },
        tier: { ...EXPOSED, conformance_tier: 'free-pro' },
      };
      for (const [what, metadata] of Object.entries(functions)) await gate.worker.serve(context.name(what), () => what, { metadata });
      const session = await context.session();
      same(await session.result(context.name('both'), {}), 'both', 'a function with all keys');
      for (const what of ['one', 'text', 'tier'])
        same((await session.errorOf(context.name(what), {})).code, 'FORBIDDEN', `the code for metadata ${JSON.stringify(functions[what])}`);
    },
  },
  {
    rules: ['RB-4', 'RB-5'],
    title: 'infrastructure works unless it is forbidden, and lists show what may be called',
    needs,
    async run(context) {
      const gate = await context.gate();
      const [shown, internal, hidden] = [`${context.name('a')}::exposed`, `${context.name('b')}::exposed`, context.name('hidden')];
      await gate.worker.serve(shown, () => 1);
      await gate.worker.serve(internal, () => 1, { metadata: { internal: true } });
      await gate.worker.serve(hidden, () => 1);
      const session = await context.session();
      const channel = (await session.result('engine::channels::create', {})) as Frame;
      holds('writer' in channel && 'reader' in channel, 'a channel is created', channel);
      const { functions } = (await session.result('engine::functions::list', {})) as { functions: { function_id: string }[] };
      const names = functions.map((row) => row.function_id).filter((id) => id.startsWith(context.name('')));
      same(names, [shown], 'the functions of this case in the list');
      same((await session.errorOf('engine::functions::info', { function_id: hidden })).code, 'FORBIDDEN', 'what is said of a hidden one');
      gate.grant({ forbidden_functions: ['engine::channels::create'] });
      const forbidden = await context.session();
      same((await forbidden.errorOf('engine::channels::create', {})).code, 'FORBIDDEN', 'the code of what is forbidden');
    },
  },
  {
    rules: ['RB-6'],
    title: 'middleware gets the call with its context and its answer is returned; built-ins pass by, a void call gets no frame',
    needs,
    async run(context) {
      const gate = await context.gate();
      const id = `${context.name('x')}::exposed`;
      const user = { user: 'u1' };
      const seen: unknown[] = [];
      gate.grant({ context: user });
      gate.answer('middleware', (data) => {
        seen.push(data);
        if ((data as { payload: unknown }).payload === 4) throw new Failure({ code: 'mine', message: 'no' });
        return 'from middleware';
      });
      await gate.worker.serve(id, () => 'from the target');
      const session = await context.session();
      same(await session.result(id, { n: 1 }), 'from middleware', 'the result');
      holds(typeof (await session.result('engine::channels::create', {})) === 'object', 'built-ins are not asked for', seen);
      const unanswered = randomUUID();
      session.send({ type: 'invokefunction', invocation_id: unanswered, function_id: id, data: 2, action: { type: 'void' } });
      const enqueue = { type: 'enqueue', queue: 'q' };
      same((await session.call(id, 3, { action: enqueue })).result, 'from middleware', 'the result of an enqueue');
      same((await session.errorOf(id, 4)).code, 'mine', 'the error');
      same((await session.errorOf(context.name('hidden'), {})).code, 'FORBIDDEN', 'what is not allowed');
      const actions = [null, { type: 'void' }, enqueue, null];
      const payloads = [{ n: 1 }, 2, 3, 4];
      const calls = actions.map((action, at) => ({ function_id: id, payload: payloads[at], action, context: user }));
      const known = seen.map((each) =>
        Object.fromEntries(Object.entries(each as Frame).filter(([key]) => key !== 'namespace' && key !== '_caller')),
      );
      same(known, calls, 'what the middleware got');
      same(
        session.inbox.all.filter(({ invocation_id }) => invocation_id === unanswered),
        [],
        'answers to a void call',
      );
      same(gate.worker.callsOf(id), [], 'calls of the target');
    },
  },
  {
    rules: ['RB-10'],
    title: 'an auth function that fails, hangs or answers wrongly lets nobody in and leaves no row',
    needs,
    async run(context) {
      const gate = await context.gate();
      const watcher = context.name('watcher');
      await gate.worker.serve(watcher, () => undefined);
      await gate.worker.bind('engine::workers-available', watcher, {});
      const refusals: readonly (readonly [string, Handler])[] = [
        ['throws', fail],
        ['answers nothing', () => undefined],
        ['answers a list', () => []],
        ['answers a wrong type', () => ({ allowed_functions: 'all' })],
        ['says unauthorized', () => ({ unauthorized: true })],
        ['hangs', () => new Promise(() => {})],
      ];
      for (const [what, handler] of refusals) {
        gate.answer('auth', handler);
        await refused(context, what);
      }
      gate.grant({});
      const { worker_id } = await (await context.session()).registration();
      const announced = (frame: Frame) => frame.function_id === watcher && (frame.data as Frame).event === 'worker_connected';
      const first = await gate.worker.take('invokefunction', announced);
      same((first.data as Frame).worker_id, worker_id, 'the first worker that is announced');
    },
  },
  {
    rules: ['RB-11'],
    title: 'a telemetry socket stays open without being asked who it is',
    needs,
    async run(context) {
      const gate = await context.gate();
      let asked = 0;
      gate.answer('auth', () => {
        asked++;
      });
      const { socket } = await context.session('/otel');
      socket.send('OTLP{"resourceSpans":[]}');
      await roundTrip(socket, context.patienceMs);
      same([asked, socket.readyState], [0, socket.OPEN], 'calls of auth, and whether the socket is open');
    },
  },
];

function fail(): never {
  throw new Failure({ code: 'mine', message: 'no' });
}

/**
 * Resolves when the server refuses the upgrade, or completes it with an error frame and a close. Each attempt has its own credential,
 * because the server delays a credential that it refused lately.
 */
async function refused(context: CaseContext, what: string): Promise<void> {
  const title = `an auth function that ${what} lets nobody in`;
  let session: Awaited<ReturnType<CaseContext['session']>>;
  try {
    session = await context.session(`/?api_key=${randomUUID()}`);
  } catch (error) {
    if (!(error instanceof UpgradeRefused)) throw error;
    holds(error.status === 401 || error.status === 503, `${title}: HTTP 401, or 503`, error.status);
    return;
  }
  await within(session.closed, context.patienceMs, `the end of a connection whose auth function ${what}`);
  const types = session.inbox.all.map(({ type }) => type);
  if (types.some((type) => type !== 'error')) throw new Mismatch(title, 'no frame but an error', JSON.stringify(types));
}
