import { frame, OPCODE } from '@rivulet/testkit/peers/raw-socket';
import type { Random } from '@rivulet/testkit/random';

/** The values are JSON texts, so that each use makes a new object. */
const HOSTILE_VALUES: readonly string[] = [
  ...'null true false 0 -0 -1 1.5 9007199254740993 1e308 1e400 "" "../.." "*" "%00" "fz:a" "__proto__" "constructor"'.split(' '),
  ...'" " | "\\u0000" | "\\ud800" | [] | [[]] | [null] | {} | {"a":{}} | {"length":1e9}'.split(' | '),
  JSON.stringify('é'.repeat(200)),
  JSON.stringify('x'.repeat(1_100)),
  `[${'0,'.repeat(50)}0]`,
  '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
];
const HOSTILE_KEYS = ['__proto__', 'constructor', 'prototype', 'toString', '', 'type', 'data', 'id', 'length', '\u0000'];

/** These ids differ from those of the bystanders, and no message with them causes an error in the log. */
const IDS = { stream_name: 'fz', group_id: 'a', item_id: 'i' };
const call = (functionId: string, data: unknown, more: object = {}) => ({
  type: 'invokefunction',
  invocation_id: 'fz',
  function_id: functionId,
  data,
  ...more,
});
const WORKER_SEEDS: readonly object[] = [
  { type: 'registerfunction', id: 'fz::f', description: 'd', request_format: {}, response_format: null, metadata: { a: 1 } },
  { type: 'unregisterfunction', id: 'fz::f' },
  { type: 'registertriggertype', id: 'fz-type', description: 'd' },
  { type: 'unregistertriggertype', id: 'fz-type' },
  { type: 'registertrigger', id: 'fz-1', trigger_type: 'stream', function_id: 'fz::f', config: { stream_name: 'fz' } },
  { type: 'registertrigger', id: 'fz-2', trigger_type: 'fz-type', function_id: 'fz::f', config: {}, metadata: {} },
  { type: 'registertrigger', id: 'fz-3', trigger_type: 'stream:leave', function_id: 'fz::f', config: { condition_function_id: 'fz::c' } },
  { type: 'unregistertrigger', id: 'fz-1', trigger_type: 'stream' },
  { type: 'triggerregistrationresult', id: 'fz-2', trigger_type: 'fz-type', function_id: 'fz::f', error: { code: 'x', message: 'y' } },
  { type: 'registerservice', id: 'fz', name: 'n', parent_service_id: null },
  { type: 'reattach', previous_worker_id: 'fz', reattach_token: 'fz' },
  { type: 'invocationresult', invocation_id: 'fz', function_id: 'fz::f', result: {} },
  { type: 'invocationresult', invocation_id: 'fz', function_id: 'fz::f', error: { code: 'x', message: 'y', stacktrace: 'z' } },
  { type: 'ping' },
  { type: 'pong' },
  call('fz::f', {}, { metadata: {}, traceparent: 't', baggage: 'b' }),
  call('fz::f', {}, { action: { type: 'void' } }),
  call('fz::f', {}, { action: { type: 'enqueue', queue: 'q' } }),
  call('stream::set', { ...IDS, data: { id: 'i', n: 1 } }),
  call('stream::get', IDS),
  call('stream::delete', IDS),
  call('stream::list', { ...IDS, with_ids: true, limit: 10, after: 'i' }),
  call('stream::list_groups', { stream_name: 'fz' }),
  call('stream::list_all', {}),
  call('stream::set', { ...IDS, data: 1, if_version: 'e:1', ttl_ms: 60_000, idempotency_key: 'k', with_versions: true }),
  call('stream::list', { ...IDS, with_versions: true, with_position: true }),
  call('stream::batch', {
    ...IDS,
    writes: [
      { type: 'set', item_id: 'i', data: 1, if_absent: true },
      { type: 'update', item_id: 'i', ops: [] },
      { type: 'delete', item_id: 'i' },
    ],
    idempotency_key: 'b',
  }),
  call('stream::send', { ...IDS, type: 't', id: 'i', data: {} }),
  call('stream::update', {
    ...IDS,
    ops: [
      { type: 'set', path: 'a', value: 1 },
      { type: 'increment', path: 'n', by: 1 },
    ],
  }),
  call('stream::update', {
    ...IDS,
    ops: [
      { type: 'merge', path: ['a', 'b'], value: { c: 1 } },
      { type: 'append', path: 'l', value: [1] },
    ],
  }),
  call('engine::workers::register', { name: 'fz', runtime: 'node', version: '1.0.0', os: 'x', pid: 1 }),
  call('engine::workers::list', { search: 'f', runtime: 'node', status: 'connected' }),
  call('engine::workers::info', { name: 'fz' }),
  call('engine::functions::list', { include_internal: true, prefix: 'fz', worker: 'fz', workers: ['fz'] }),
  call('engine::functions::info', { function_id: 'fz::f' }),
  call('engine::functions::info', { function_ids: ['fz::f', 'stream::set'] }),
  call('engine::triggers::list', { include_internal: true }),
  call('engine::triggers::info', { id: 'stream' }),
  call('engine::trigger-types::list', {}),
  call('engine::registered-triggers::list', { trigger_type: 'stream', function_id: 'fz::f', worker: 'fz', search: 'f' }),
  call('engine::registered-triggers::info', { id: 'fz-1' }),
  call('engine::health::check', {}),
];
const STREAM_SEEDS: readonly object[] = ['join', 'leave', 'join', 'join'].flatMap((type, index) =>
  ['s1', 's2', 's3'].map((subscriptionId) => ({
    type,
    data: { subscriptionId, streamName: 'fz', groupId: 'ab'[index % 2], ...(index === 3 ? { id: 'i' } : {}) },
  })),
);

type Tree = Record<string, unknown>;

/** Makes hostile frames for one port. The same generator gives the same frames. */
export class Fuzz {
  readonly #random: Random;
  readonly #seeds: readonly string[];

  constructor(random: Random, port: 'worker' | 'stream') {
    this.#random = random;
    this.#seeds = (port === 'worker' ? WORKER_SEEDS : STREAM_SEEDS).map((seed) => JSON.stringify(seed));
  }

  /** Returns a message that keeps RFC 6455 and the limits, so the connection must survive it. */
  message(): Buffer {
    const text = this.#text();
    const opcode = this.#random.below(5) === 0 ? OPCODE.binary : OPCODE.text;
    if (this.#random.below(6) > 0) return frame({ opcode, payload: text });
    const bytes = Buffer.from(text);
    const cut = this.#random.below(bytes.length + 1);
    return Buffer.concat([
      frame({ opcode, fin: false, payload: bytes.subarray(0, cut) }),
      ...(this.#random.below(2) === 0 ? [frame({ opcode: OPCODE.ping, payload: this.#bytes(125) })] : []),
      frame({ opcode: OPCODE.continuation, payload: bytes.subarray(cut) }),
    ]);
  }

  /** Returns bytes that break RFC 6455 or are very likely to. */
  broken(): Buffer {
    const bytes = this.message();
    switch (this.#random.below(6)) {
      case 0:
        return this.#bytes(300);
      case 1:
        return frame({ payload: Buffer.concat([Buffer.from(this.#text()), Buffer.from([0xff])]) });
      case 2:
        return frame({ reserved: 1 + this.#random.below(7), payload: this.#text() });
      case 3:
        return bytes.subarray(0, this.#random.below(bytes.length));
      case 4:
        return frame({
          opcode: this.#random.below(16),
          fin: this.#random.below(2) === 0,
          claimedBytes: BigInt(this.#random.below(2 ** 32)),
        });
      default:
        for (let flips = 1 + this.#random.below(4); flips > 0; flips--) {
          const at = this.#random.below(Math.min(bytes.length, 14));
          bytes[at] = (bytes[at] as number) ^ (1 << this.#random.below(8));
        }
        return bytes;
    }
  }

  #text(): string {
    const seed = this.#random.pick(this.#seeds);
    switch (this.#random.below(8)) {
      case 0:
        return seed;
      case 1:
        return this.#cutUp(seed);
      case 2:
        return this.#random.pick(HOSTILE_VALUES);
      case 3:
        return seed.replace(/:/g, (colon) => (this.#random.below(4) === 0 ? `:${'['.repeat(this.#random.below(100))}` : colon));
      default: {
        const tree = JSON.parse(seed) as Tree;
        for (let changes = 1 + this.#random.below(3); changes > 0; changes--) this.#spoil(tree);
        return JSON.stringify(tree);
      }
    }
  }

  #bytes(most: number): Buffer {
    return Buffer.from(Array.from({ length: this.#random.below(most) }, () => this.#random.below(256)));
  }

  /** Removes, repeats and replaces characters. */
  #cutUp(text: string): string {
    let result = text;
    for (let changes = 1 + this.#random.below(4); changes > 0; changes--) {
      const at = this.#random.below(result.length + 1);
      const piece = this.#random.pick([
        '',
        '"',
        '{',
        '}',
        '[',
        ',',
        ':',
        '\\',
        '\u0000',
        '\ud83d',
        '9'.repeat(30),
        '1e999',
        'null',
        result,
      ]);
      result = result.slice(0, at) + piece + result.slice(at + this.#random.below(3));
    }
    return result.slice(0, 100_000);
  }

  /** Replaces, removes or renames one value anywhere in the tree. */
  #spoil(tree: Tree): void {
    let holder = tree;
    for (;;) {
      const key = this.#random.pick([...Object.keys(holder), this.#random.pick(HOSTILE_KEYS)]);
      const inner = Object.hasOwn(holder, key) ? holder[key] : undefined;
      if (typeof inner === 'object' && inner !== null && this.#random.below(3) > 0) {
        holder = inner as Tree;
        continue;
      }
      const value: unknown = JSON.parse(this.#random.pick(HOSTILE_VALUES));
      if (Array.isArray(holder) && key === 'length') return;
      if (this.#random.below(4) === 0) Reflect.deleteProperty(holder, key);
      else Reflect.defineProperty(holder, key, { value, enumerable: true, writable: true, configurable: true });
      return;
    }
  }
}
