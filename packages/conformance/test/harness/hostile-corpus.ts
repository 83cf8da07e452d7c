import { LIMITS } from '@rivulet/protocol';

/** Tables of hostile input. Each row has the required reaction of the engine. */

export const NOT_TEXT: readonly unknown[] = [null, true, 7, -1.5, [], ['a'], {}, { a: 1 }];
const NOT_TEXT_NOT_ABSENT = NOT_TEXT.slice(1);
const BAD_IDS: readonly string[] = ['x'.repeat(257), 'é'.repeat(129), 'a\u0000b', 'a\nb', '\ud800', 'a\udfff'];

export interface NoMessage {
  readonly what: string;
  readonly text: string;
  /** Code in the log; undefined if the engine ignores the message silently. */
  readonly worker?: string;
  readonly stream?: string;
}

const MISMATCH = 'deserialization_error';

function refused(what: string, text: string): NoMessage {
  return { what, text, worker: MISMATCH, stream: MISMATCH };
}

function silent(what: string, text: string): NoMessage {
  return { what, text };
}

/**
 * Returns a message without a type. A worker must name a type. A stream client may send unknown types, because later versions may define
 * them.
 */
function typeless(what: string, text: string): NoMessage {
  return { what, text, worker: MISMATCH };
}

export const NO_MESSAGES: readonly NoMessage[] = [
  silent('nothing', ''),
  silent('blanks', ' \r\n\t '),
  refused('an open brace', '{'),
  refused('a closed brace', '}'),
  refused('null', 'null'),
  refused('a number', '7'),
  refused('a string', '"ping"'),
  refused('an array of messages', '[{"type":"ping"}]'),
  refused('a message and more', '{"type":"ping"} x'),
  refused('two messages', '{"type":"ping"}{"type":"ping"}'),
  refused('single quotes', "{'type':'ping'}"),
  refused('a trailing comma', '{"type":"ping",}'),
  refused('a comment', '{"type":"ping"/* */}'),
  refused('NaN', '{"type":"ping","x":NaN}'),
  refused('a byte order mark', '\ufeff{"type":"ping"}'),
  refused('a NUL', '\u0000'),
  refused('a bare control character in a string', '{"type":"pi\u0000ng"}'),
  refused('an escape that is none', '{"type":"\\x41"}'),
  refused('an unfinished string', '{"type":"ping'),
  refused('a string of backslashes', `"${'\\'.repeat(200_001)}`),
  refused('a string of escaped quotes', `"${'\\"'.repeat(100_000)}`),
  refused('5,000 open brackets', '['.repeat(5_000)),
  refused('5,000 nested arrays', '['.repeat(5_000) + ']'.repeat(5_000)),
  refused('100,000 closed brackets', ']'.repeat(100_000)),
  refused('65 levels in a message', `{"type":"ping","x":${'['.repeat(64)}${']'.repeat(64)}}`),
  refused('nested objects', `${'{"type":'.repeat(100)}1${'}'.repeat(100)}`),
  refused('100,001 values', `{"type":"ping","x":[${'0,'.repeat(100_000)}0]}`),
  typeless('an empty object', '{}'),
  typeless('a type of null', '{"type":null}'),
  typeless('a type of 7', '{"type":7,"data":{}}'),
  typeless('a type in an array', '{"type":["ping"]}'),
  typeless('an inherited type', '{"__proto__":{"type":"ping"},"constructor":{"type":"ping"}}'),
  typeless('a number of 200,000 digits', `{"x":${'1'.repeat(200_000)}}`),
  silent('an unknown type', '{"type":"nobody-knows-it","x":1e400}'),
  silent('64 levels', `{"type":"nobody-knows-it","x":${'['.repeat(63)}${']'.repeat(63)}}`),
  silent('a type of 200,000 characters', `{"type":"${'x'.repeat(200_000)}"}`),
  silent('the same key twice', '{"type":"ping","type":"nobody-knows-it"}'),
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'].map((type) =>
    silent(`the type ${type}`, `{"type":"${type}"}`),
  ),
];

export interface HostileHead {
  readonly what: string;
  readonly head: string;
  /**
   * Status on the worker port. Undefined means that the engine closes the connection without a response, and 101 means that the request is
   * harmless.
   */
  readonly worker: number | undefined;
  /** Status on the stream port, if it differs. */
  readonly stream?: number;
}

const UPGRADE: Readonly<Record<string, string>> = {
  Host: 'localhost',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};
const PLAIN = ['Host: localhost'];
const FULL = Object.entries(UPGRADE).map(([name, value]) => `${name}: ${value}`);
const without = (name: string) => FULL.filter((line) => !line.startsWith(`${name}:`));
const many = (count: number) => Array.from({ length: count }, (_, n) => `x-${n}: 1`);

function head(start: string, lines: readonly string[], body = ''): string {
  return `${start} HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body}`;
}

function wants(path: string, ...more: readonly string[]): string {
  return head(`GET ${path}`, [...FULL, ...more]);
}

export const HEADS: readonly HostileHead[] = [
  { what: 'no upgrade', head: head('GET /', PLAIN), worker: 426, stream: 200 },
  { what: 'POST with a body', head: head('POST /', [...PLAIN, 'Content-Length: 3'], 'abc'), worker: 426 },
  { what: 'POST that waits for 100', head: head('POST /', [...PLAIN, 'Expect: 100-continue', 'Content-Length: 9']), worker: 426 },
  { what: 'HEAD', head: head('HEAD /', PLAIN), worker: 426 },
  { what: 'OPTIONS', head: head('OPTIONS *', PLAIN), worker: 426 },
  { what: 'TRACE', head: head('TRACE /', PLAIN), worker: 426 },
  { what: 'fifty requests at once', head: head('GET /', PLAIN).repeat(50), worker: 426, stream: 200 },
  { what: 'CONNECT', head: head('CONNECT example.com:443', PLAIN), worker: undefined },
  { what: 'an upgrade by POST', head: head('POST /', FULL), worker: 405 },
  { what: 'an upgrade by DELETE', head: head('DELETE /', FULL), worker: 405 },
  { what: 'an upgrade by POST with a body', head: head('POST /', [...FULL, 'Content-Length: 3'], 'abc'), worker: 405 },
  { what: 'no key', head: head('GET /', without('Sec-WebSocket-Key')), worker: 400 },
  { what: 'a key that is none', head: head('GET /', [...without('Sec-WebSocket-Key'), 'Sec-WebSocket-Key: bad']), worker: 400 },
  { what: 'two keys', head: wants('/', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='), worker: 400 },
  { what: 'no version', head: head('GET /', without('Sec-WebSocket-Version')), worker: 400 },
  { what: 'version 99', head: head('GET /', [...without('Sec-WebSocket-Version'), 'Sec-WebSocket-Version: 99']), worker: 400 },
  { what: 'no Connection header', head: head('GET /', without('Connection')), worker: 426 },
  { what: 'no Upgrade header', head: head('GET /', without('Upgrade')), worker: 426 },
  { what: 'an upgrade to h2c', head: head('GET /', [...PLAIN, 'Upgrade: h2c', 'Connection: Upgrade']), worker: 400, stream: 200 },
  { what: 'the preface of HTTP/2', head: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', worker: undefined },
  { what: 'nonsense', head: 'NONSENSE\r\n\r\n', worker: undefined },
  { what: 'a TLS hello', head: '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03', worker: undefined },
  { what: 'a NUL in a header', head: wants('/', 'x: a\u0000b'), worker: undefined },
  { what: 'a folded header', head: wants('/', 'x: a', ' b'), worker: undefined },
  { what: 'a space before the colon', head: wants('/', 'x : a'), worker: undefined },
  { what: 'a header without a name', head: wants('/', ': a'), worker: undefined },
  { what: 'lines that end without CR', head: wants('/').replaceAll('\r\n', '\n'), worker: undefined },
  { what: 'two lengths', head: head('POST /', [...PLAIN, 'Content-Length: 1', 'Content-Length: 2'], 'ab'), worker: undefined },
  {
    what: 'a length and chunks',
    head: head('POST /', [...PLAIN, 'Content-Length: 4', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
    worker: undefined,
  },
  { what: 'a header of 17,000 bytes', head: wants('/', `x: ${'a'.repeat(17_000)}`), worker: undefined },
  { what: 'a header name of 17,000 bytes', head: wants('/', `${'a'.repeat(17_000)}: x`), worker: undefined },
  { what: 'a URL of 20,000 bytes', head: wants(`/stream/${'a'.repeat(20_000)}/b`), worker: undefined },
  { what: 'a query of 20,000 bytes', head: wants(`/?${'a=b&'.repeat(5_000)}`), worker: undefined },
  { what: 'bytes in the path that are no text', head: wants('/stream/\xff\xfe/b'), worker: undefined },
  { what: '300 headers behind those that count', head: wants('/', ...many(300)), worker: 101 },
  { what: '300 headers before those that count', head: head('GET /', [...PLAIN, ...many(300), ...without('Host')]), worker: 400 },
  { what: 'a protocol that is no token', head: wants('/', 'Sec-WebSocket-Protocol: b  x'), worker: 400 },
  { what: 'a protocol of commas', head: wants('/', 'Sec-WebSocket-Protocol: ,'), worker: 400 },
  { what: 'an empty protocol', head: wants('/', 'Sec-WebSocket-Protocol: '), worker: 400 },
  { what: 'the same protocol twice', head: wants('/', 'Sec-WebSocket-Protocol: a, a'), worker: 400 },
  { what: 'a protocol of 8,000 blanks', head: wants('/', `Sec-WebSocket-Protocol: b${' '.repeat(8_000)}x`), worker: 400 },
  { what: 'a broken extension', head: wants('/', 'Sec-WebSocket-Extensions: permessage-deflate; x=99999;;;='), worker: 101 },
  { what: 'an absolute URL', head: wants('http://127.0.0.1/'), worker: 404 },
  { what: 'an asterisk', head: wants('*'), worker: 404 },
  { what: 'an unknown path', head: wants('/other'), worker: 404 },
  { what: 'a broken query', head: wants('/?a=%ZZ&b&=&&__proto__=x&%=%'), worker: 101 },
  { what: 'a percent sequence that is none', head: wants('/stream/%ZZ/x'), worker: 404, stream: 400 },
  { what: 'half a percent sequence', head: wants('/stream/a/x%E'), worker: 404, stream: 400 },
  { what: 'an escaped NUL', head: wants('/stream/a%00/x'), worker: 404, stream: 400 },
  { what: 'an escaped overlong NUL', head: wants('/stream/%C0%80/x'), worker: 404, stream: 400 },
  { what: 'an escaped surrogate', head: wants('/stream/%ED%A0%80/x'), worker: 404, stream: 400 },
  { what: 'a stream name of 257 bytes', head: wants(`/stream/${'a'.repeat(257)}/x`), worker: 404, stream: 400 },
  { what: 'a group of 258 bytes', head: wants(`/stream/a/${'%C3%A9'.repeat(129)}`), worker: 404, stream: 400 },
  { what: 'a path without a group', head: wants('/stream/a'), worker: 404 },
  { what: 'a path of five segments', head: wants('/stream/a/b/c/d/e'), worker: 404 },
  { what: 'prototype names in the path', head: wants('/stream/__proto__/constructor'), worker: 404, stream: 101 },
  { what: 'an opaque Origin', head: wants('/', 'Origin: null'), worker: 403, stream: 101 },
  { what: 'an Origin that is no URL', head: wants('/', 'Origin: http://['), worker: 403, stream: 101 },
  { what: 'an Origin with a name before the host', head: wants('/', 'Origin: http://localhost@evil.example'), worker: 403, stream: 101 },
  { what: 'an Origin that begins like a local one', head: wants('/', 'Origin: http://localhost.evil.example'), worker: 403, stream: 101 },
  { what: 'two Origins', head: wants('/', 'Origin: http://evil.example', 'Origin: http://localhost'), worker: 403, stream: 101 },
];

type Wrong = readonly (readonly [value: unknown, code: string | undefined])[];

export interface FunctionFields {
  readonly id: string;
  readonly valid: Readonly<Record<string, unknown>>;
  /** Wrong values of each field, and some valid ones, each with its expected error code. */
  readonly fields: Readonly<Record<string, Wrong>>;
}

const coded = (values: readonly unknown[], code: string | undefined): Wrong => values.map((value) => [value, code] as const);
const ID: Wrong = [...coded([undefined, ...NOT_TEXT], MISMATCH), ...coded(BAD_IDS, 'INVALID_ID'), ...coded(['', '__proto__'], undefined)];
const OPTIONAL_ID: Wrong = [
  ...coded(NOT_TEXT_NOT_ABSENT, MISMATCH),
  ...coded(BAD_IDS, 'INVALID_ID'),
  ...coded([undefined, null, ''], undefined),
];
const OPTIONAL_TEXT: Wrong = [...coded(NOT_TEXT_NOT_ABSENT, MISMATCH), ...coded([undefined, null, 'x'.repeat(10_000)], undefined)];
const GROUP = { stream_name: ID, group_id: ID };
const ITEM = { ...GROUP, item_id: ID };
const IN_GROUP = { stream_name: 's', group_id: 'g' };
const IN_ITEM = { ...IN_GROUP, item_id: 'i' };

const BAD_OPS: readonly unknown[] = [
  7,
  null,
  [],
  {},
  { type: 7 },
  { type: 'nobody' },
  { type: '__proto__' },
  { type: 'set', path: 7 },
  { type: 'set', path: ['a'] },
  { type: 'increment' },
  { type: 'increment', path: 'a', by: '1' },
  { type: 'decrement', path: 'a', by: null },
  { type: 'merge' },
  { type: 'append' },
  { type: 'append', path: [7], value: 1 },
  { type: 'remove', path: {} },
];
const TOO_MANY_OPS = Array.from({ length: LIMITS.updateOps + 1 }, () => ({ type: 'remove', path: 'a' }));
const OPS: Wrong = [
  ...coded([undefined, null, true, 7, 'x', {}, { length: 1 }, TOO_MANY_OPS], MISMATCH),
  ...BAD_OPS.map((op) => [[op], MISMATCH] as const),
  ...coded([TOO_MANY_OPS.slice(1)], undefined),
];

const FLAG: Wrong = [...coded(['yes', 'true', 1, 0, [], {}], MISMATCH), ...coded([undefined, null, true, false], undefined)];
const KEY: Wrong = [
  ...coded([...NOT_TEXT_NOT_ABSENT, ''], MISMATCH),
  ...coded(BAD_IDS, 'INVALID_ID'),
  ...coded([undefined, null], undefined),
];
const TTL: Wrong = [
  ...coded([true, '1000', 0, -1, 999, 1_000.5, 2_592_000_001, [], {}], MISMATCH),
  ...coded([undefined, null, 1_000, 2_592_000_000], undefined),
];
/** A version that no item has leads to a conflict, which is a result and no error. */
const VERSION: Wrong = [...coded(NOT_TEXT_NOT_ABSENT, MISMATCH), ...coded([undefined, null, '', 'x', ':', 'e:-1'], undefined)];
const TERMS = { if_version: VERSION, if_absent: FLAG, ttl_ms: TTL, idempotency_key: KEY, with_versions: FLAG };
const SET_M = { type: 'set', item_id: 'm', data: 1 };
const BAD_WRITES: readonly unknown[] = [
  null,
  true,
  7,
  'set',
  [],
  {},
  { ...SET_M, type: 'send' },
  { ...SET_M, item_id: 7 },
  { type: 'set', item_id: 'm' },
  { ...SET_M, ttl_ms: 1 },
  { ...SET_M, if_version: 'x', if_absent: true },
  { ...SET_M, idempotency_key: 'k' },
  { type: 'update', item_id: 'm' },
  { type: 'delete', item_id: 'm', ttl_ms: 5_000 },
];
const MOST_WRITES = Array.from({ length: LIMITS.batchWrites }, () => SET_M);
const WRITES: Wrong = [
  ...coded([undefined, null, true, 7, 'x', {}, [], { length: 1 }, [...MOST_WRITES, SET_M]], MISMATCH),
  ...BAD_WRITES.map((write) => [[SET_M, write], MISMATCH] as const),
  ...coded([MOST_WRITES, [SET_M, { type: 'delete', item_id: 'm', if_version: 'x' }]], undefined),
];

export const FUNCTION_FIELDS: readonly FunctionFields[] = [
  {
    id: 'stream::set',
    valid: { ...IN_ITEM, data: 1 },
    fields: { ...ITEM, ...TERMS, data: [[undefined, MISMATCH], ...coded([null, false, '', [], {}], undefined)] },
  },
  { id: 'stream::get', valid: IN_ITEM, fields: { ...ITEM, with_versions: FLAG } },
  {
    id: 'stream::delete',
    valid: IN_ITEM,
    fields: {
      ...ITEM,
      if_version: VERSION,
      if_absent: [...coded([true, 'yes', 1], MISMATCH), ...coded([undefined, null, false], undefined)],
      ttl_ms: [...coded([1_000, '1000'], MISMATCH), ...coded([undefined, null], undefined)],
      idempotency_key: KEY,
      with_versions: FLAG,
    },
  },
  {
    id: 'stream::batch',
    valid: { ...IN_GROUP, writes: [SET_M] },
    fields: { ...GROUP, writes: WRITES, idempotency_key: KEY, with_versions: FLAG },
  },
  {
    id: 'stream::list',
    valid: IN_GROUP,
    fields: {
      ...GROUP,
      with_ids: FLAG,
      with_versions: FLAG,
      with_position: FLAG,
      limit: [...coded([true, '1', 0, -1, 1.5, 100_001, [], {}], MISMATCH), ...coded([undefined, null, 1, 100_000], undefined)],
      after: [...coded(NOT_TEXT_NOT_ABSENT, MISMATCH), ...coded(['nobody'], 'INVALID_ARGUMENTS'), ...coded([undefined, null], undefined)],
    },
  },
  { id: 'stream::list_groups', valid: { stream_name: 's' }, fields: { stream_name: ID } },
  {
    id: 'stream::send',
    valid: { ...IN_GROUP, type: 't', data: 1 },
    fields: {
      ...GROUP,
      type: OPTIONAL_TEXT,
      id: OPTIONAL_ID,
      item_id: OPTIONAL_ID,
      data: coded([undefined, null, false, '', [], {}], undefined),
      idempotency_key: KEY,
    },
  },
  {
    id: 'stream::send',
    valid: { ...IN_GROUP, event_type: 't' },
    fields: { event_type: OPTIONAL_TEXT },
  },
  { id: 'stream::update', valid: { ...IN_ITEM, ops: [] }, fields: { ...ITEM, ...TERMS, ops: OPS } },
];

/** Optional and required keys of every message of a worker. */
export const WORKER_FRAMES: Readonly<Record<string, readonly string[]>> = {
  registerfunction: ['id', 'description', 'request_format', 'response_format', 'metadata', 'invocation'],
  unregisterfunction: ['id'],
  registertriggertype: ['id', 'description', 'trigger_request_format', 'call_request_format'],
  unregistertriggertype: ['id'],
  registertrigger: ['id', 'trigger_type', 'function_id', 'metadata'],
  unregistertrigger: ['id', 'trigger_type'],
  triggerregistrationresult: ['id', 'trigger_type', 'function_id', 'error'],
  registerservice: ['id', 'name', 'description', 'parent_service_id'],
  reattach: ['previous_worker_id', 'reattach_token'],
  invokefunction: ['invocation_id', 'function_id', 'data', 'traceparent', 'baggage', 'metadata', 'namespace'],
  invocationresult: ['invocation_id', 'function_id', 'result', 'error', 'traceparent', 'baggage'],
  ping: ['message_type'],
  pong: ['message_type'],
};

export interface JoinField {
  readonly field: string;
  readonly values: readonly unknown[];
  readonly code: string;
}

export const JOIN_FIELDS: readonly JoinField[] = [
  { field: 'subscriptionId', values: [undefined, ...NOT_TEXT, 'x'.repeat(1_025)], code: MISMATCH },
  { field: 'streamName', values: [undefined, ...NOT_TEXT], code: MISMATCH },
  { field: 'streamName', values: BAD_IDS, code: 'INVALID_ID' },
  { field: 'groupId', values: [undefined, ...NOT_TEXT], code: MISMATCH },
  { field: 'groupId', values: BAD_IDS, code: 'INVALID_ID' },
  { field: 'id', values: NOT_TEXT_NOT_ABSENT, code: MISMATCH },
  { field: 'id', values: BAD_IDS, code: 'INVALID_ID' },
];
