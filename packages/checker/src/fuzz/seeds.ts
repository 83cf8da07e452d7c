import type { Random } from '@rivulet/testkit/random';
import type { Seed } from './strange.js';

/** The names are few, so that messages share them and the state of the engine stays bounded. The innocent client uses none of them. */
const STREAMS = ['fz', 'fz2', 'fzb', '\ufeff', '__proto__', '%ed%a0%80', 'a:b'];
const GROUPS = ['a', 'b', '*', 'constructor', 'é👩'];
const ITEMS = ['i', 'j', 'k', '__proto__', '%', '\u202e', 'x'.repeat(256)];

const groupOf = (r: Random) => ({ stream_name: r.pick(STREAMS), group_id: r.pick(GROUPS) });
const itemOf = (r: Random) => ({ ...groupOf(r), item_id: r.pick(ITEMS) });
const stateOf = (r: Random) => ({ scope: r.pick(GROUPS), key: r.pick(ITEMS) });
const value = (r: Random) => ({ id: r.pick(ITEMS), n: r.below(1_000), text: 'x'.repeat(r.below(200)), list: [1, { a: null }] });

const opsOf = (r: Random): readonly object[] => [
  r.pick<object>([
    { type: 'set', path: r.pick(['a', 'n', '', '__proto__.x', 'list.0', 'a.b.c']), value: value(r) },
    { type: 'increment', path: 'n', by: r.pick([1, -1, 1e308, 2 ** 53]) },
    { type: 'decrement', path: 'n', by: 1 },
    { type: 'merge', path: ['a', r.pick(ITEMS)], value: { c: 1 } },
    { type: 'append', path: 'list', value: [1] },
    { type: 'remove', path: r.pick(['a', 'list.0', 'n']) },
  ]),
  { type: 'increment', path: 'n', by: 1 },
];

function call(functionId: string, data: (random: Random) => unknown, more: object = {}): Seed {
  return (r) => ({
    type: 'invokefunction',
    invocation_id: `fz${r.below(1_000)}`,
    function_id: functionId,
    data: data(r),
    ...structuredClone(more),
  });
}

const terms = (r: Random) => ({ if_version: 'e:1', ttl_ms: r.pick([1, 60_000]), idempotency_key: `k${r.below(50)}`, with_versions: true });

/** Calls of engine functions, by workers and guests. */
export const CALL_SEEDS: readonly Seed[] = [
  call('stream::set', (r) => ({ ...itemOf(r), data: value(r) })),
  call('stream::set', (r) => ({ ...itemOf(r), data: value(r) }), { action: { type: 'void' } }),
  call('stream::set', (r) => ({ ...itemOf(r), data: 1, ...terms(r) })),
  call('stream::get', itemOf),
  call('stream::delete', itemOf),
  call('stream::list', (r) => ({
    ...groupOf(r),
    with_ids: true,
    with_versions: true,
    with_position: true,
    limit: r.below(20),
    after: r.pick(ITEMS),
  })),
  call('stream::list_groups', (r) => ({ stream_name: r.pick(STREAMS), limit: 3, after: r.pick(GROUPS) })),
  call('stream::list_all', (r) => ({ limit: r.between(1, 9) })),
  call('stream::send', (r) => ({ ...groupOf(r), type: 't', id: r.pick(ITEMS), data: value(r) })),
  call('stream::update', (r) => ({ ...itemOf(r), ops: opsOf(r) })),
  call('stream::batch', (r) => ({
    ...groupOf(r),
    writes: [
      { type: 'set', item_id: r.pick(ITEMS), data: value(r), if_absent: r.chance(0.5) },
      { type: 'update', item_id: r.pick(ITEMS), ops: opsOf(r) },
      { type: 'delete', item_id: r.pick(ITEMS) },
    ],
    idempotency_key: `b${r.below(20)}`,
  })),
  call('state::set', (r) => ({ ...stateOf(r), value: value(r) })),
  call('state::get', stateOf),
  call('state::delete', stateOf),
  call('state::update', (r) => ({ ...stateOf(r), ops: opsOf(r) })),
  call('state::list', (r) => ({ scope: r.pick(GROUPS) })),
  call('state::list_groups', () => ({})),
  call('publish', (r) => ({ topic: r.pick(GROUPS), data: value(r) })),
  call('fz::fn', value, { metadata: {}, traceparent: 't', baggage: 'b' }),
  call('fz::missing', value, { namespace: 'analytics' }),
  call('fz::fn', value, { action: { type: 'enqueue', queue: 'q' } }),
  call('engine::workers::register', () => ({ name: 'fz', runtime: 'node', version: '1.0.0', os: 'x', pid: 1 })),
  call('engine::workers::list', () => ({ search: 'f', runtime: 'node', status: 'connected' })),
  call('engine::functions::list', () => ({ include_internal: true, prefix: 'fz', worker: 'fz', workers: ['fz'] })),
  call('engine::functions::info', () => ({ function_ids: ['fz::f', 'stream::set'] })),
  call('engine::registered-triggers::list', () => ({ trigger_type: 'stream', function_id: 'fz::f', search: 'f' })),
  call('engine::trigger-types::list', () => ({})),
  call('engine::channels::create', (r) => ({ buffer_size: r.pick([1, 64, 1e9]) })),
  call('engine::log::debug', () => ({ message: 'm', data: { a: 1 } })),
  call('engine::sessions::list', () => ({ limit: 3 })),
  call('engine::health::check', () => ({})),
];

const FUNCTIONS = ['fz::f', 'fz::g', 'fz::\u202e', 'stream::get(fzx)', 'stream::set(fzx)'];
const TYPES = ['stream', 'state', 'subscribe', 'http', 'stream:join', 'stream:leave', 'fz-type', 'engine::functions-available', 'streem'];
const TRIGGERS = ['fz-1', 'fz-2', 'fz-3', '__proto__'];

function triggerConfig(r: Random): object {
  return r.pick<object>([
    {},
    { stream_name: 'fz', group_id: 'a', condition_function_id: r.pick(['fz::cond', 'fz::missing']) },
    { scope: 'a', key: 'i' },
    { topic: 'a' },
    { api_path: r.pick(['/fz/x', '/fz/:id', '/%ed%a0%80', '//', '/fz/*']), http_method: r.pick(['GET', 'POST', 'HEAD', 'get', 'X Y']) },
    { api_path: '/fz/y', middleware_function_ids: ['fz::mw'] },
  ]);
}

/** Registrations and answers, by workers and guests. */
export const WORKER_SEEDS: readonly Seed[] = [
  ...CALL_SEEDS,
  (r) => ({
    type: 'registerfunction',
    id: r.pick(FUNCTIONS),
    description: 'd',
    request_format: {},
    response_format: null,
    metadata: { a: 1 },
  }),
  (r) => ({ type: 'registerfunction', id: r.pick(FUNCTIONS), invocation: { url: 'http://127.0.0.1:1/', method: 'POST' } }),
  (r) => ({ type: 'unregisterfunction', id: r.pick(FUNCTIONS) }),
  () => ({ type: 'registertriggertype', id: 'fz-type2', description: 'd', trigger_request_format: {}, call_request_format: {} }),
  () => ({ type: 'unregistertriggertype', id: 'fz-type2' }),
  (r) => ({
    type: 'registertrigger',
    id: r.pick(TRIGGERS),
    trigger_type: r.pick(TYPES),
    function_id: r.pick(FUNCTIONS),
    config: triggerConfig(r),
    metadata: {},
  }),
  (r) => ({ type: 'unregistertrigger', id: r.pick(TRIGGERS), trigger_type: r.pick(TYPES) }),
  (r) => ({
    type: 'triggerregistrationresult',
    id: r.pick(TRIGGERS),
    trigger_type: 'fz-type2',
    function_id: 'fz::f',
    error: { code: 'x', message: 'y' },
  }),
  () => ({ type: 'registerservice', id: 'fz', name: 'n', parent_service_id: null }),
  () => ({ type: 'reattach', previous_worker_id: 'fz', reattach_token: 'fz' }),
  (r) => ({ type: 'invocationresult', invocation_id: `fz${r.below(9)}`, function_id: 'fz::f', result: value(r) }),
  () => ({ type: 'invocationresult', invocation_id: 'fz', function_id: 'fz::f', error: { code: 'x', message: 'y', stacktrace: 'z' } }),
  () => ({ type: 'ping' }),
  () => ({ type: 'pong' }),
];

const subscription = (r: Random) => ({ subscriptionId: `s${r.below(12)}`, streamName: r.pick(STREAMS), groupId: r.pick(GROUPS) });

/** Functions that a stream client calls: those of the engine and of the hostile worker, missing and hidden ones. */
const CALLED = ['stream::set', 'stream::get', 'stream::list', 'fz::fn', 'fz::f', 'fz::missing', 'engine::health::check', '__proto__'];

/** Frames of a stream client. */
export const STREAM_SEEDS: readonly Seed[] = [
  (r) => ({ type: 'join', data: subscription(r) }),
  (r) => ({ type: 'join', data: { ...subscription(r), id: r.pick(ITEMS) } }),
  (r) => ({ type: 'join', data: { ...subscription(r), positions: true } }),
  (r) => ({
    type: 'join',
    data: { ...subscription(r), since: r.pick(['e:1', ':', '0:-1', 'x:9007199254740993', '\ud800:1']), positions: true },
  }),
  (r) => ({ type: 'leave', data: subscription(r) }),
  (r) => ({ type: 'refresh', data: { token: `t${r.below(100)}` } }),
  (r) => ({ type: 'lease', data: { subscriptionId: `s${r.below(12)}`, data: value(r) } }),
  (r) => ({ type: 'call', data: { callId: `c${r.below(400)}`, functionId: r.pick(CALLED), data: r.chance(0.5) ? itemOf(r) : value(r) } }),
  (r) => ({
    type: 'call',
    data: {
      callId: r.pick(ITEMS),
      functionId: r.pick(CALLED),
      data: r.pick<unknown>([null, 7, 'text', [1], { _caller: { session_id: 'x' }, value: 1 }]),
      idempotencyKey: `k${r.below(50)}`,
      repeatedAfterMs: r.pick([0, 1, 5_000, 2 ** 53]),
      confirm: [{ streamName: r.pick(STREAMS), groupId: r.pick(GROUPS) }],
      timeoutMs: r.pick([1, 50, 1e9]),
    },
  }),
  (r) => ({ type: 'unknown', data: subscription(r) }),
];
