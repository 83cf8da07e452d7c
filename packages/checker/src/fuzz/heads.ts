import { percentEncode } from '@rivulet/protocol';
import type { Random } from '@rivulet/testkit/random';
import { randomBytes } from './frames.js';
import { CALL_SEEDS } from './seeds.js';
import { mutated, STRANGE_TEXTS } from './strange.js';

const ENDS_LINE = /[\r\n]/g;

/** Returns a strange text as bytes for a request head, encoded in one of the ways of real clients. */
function inHead(random: Random): string {
  const text = random.pick(STRANGE_TEXTS);
  const how = random.below(3);
  if (how === 0) return percentEncode(text);
  const latin = Buffer.from(text).toString('latin1');
  return how === 1 ? latin.replace(ENDS_LINE, '') : latin.replace(/[\s\u0000-\u001f]/g, '%0a');
}

/** Returns a strange text for a request target that Node accepts. */
export function inTarget(random: Random): string {
  const text = random.pick(STRANGE_TEXTS);
  return random.chance(0.6) ? percentEncode(text) : text.replace(/[^!-~]/g, '%');
}

const PATHS = ['/', '/stream/fz/a', '/stream/fz/a/i', '/stream/fz', '/ws/channels/x', '/otel', '/fz/a', '//', '/%', '/../', '*'];
const QUERIES = [
  '',
  '?token=t1',
  '?token=t2&positions=1',
  '?since=e:1',
  '?api_key=k&api_key=l',
  '?=&&=',
  '?key=k&dir=read',
  '?key=k&dir=up',
  '?auth_token=t',
];
export const ODD_HEADERS: readonly ((random: Random) => string)[] = [
  (r) =>
    `Sec-WebSocket-Protocol: ${r.pick(['Authorization, t1', 'Authorization,', ',,,', 'a'.repeat(200), `b${' '.repeat(2_000)}x`, inHead(r)])}`,
  (r) =>
    `Sec-WebSocket-Extensions: ${r.pick(['constructor', 'permessage-deflate; server_max_window_bits=99', '__proto__; a', 'x;'.repeat(200)])}`,
  (r) => `Origin: ${r.pick(['null', 'http://127.0.0.1', 'http://[', 'file://', '', inHead(r)])}`,
  (r) => `Host: ${r.pick(['', 'localhost', '[::1', 'evil.example', 'a, b', inHead(r)])}`,
  (r) => `Cookie: ${inHead(r)}`,
  (r) => `X-Forwarded-For: ${r.pick(['1.2.3.4', 'x', ',,,', '::1, ::ffff:1.2.3.4', inHead(r)])}`,
  (r) => `X-Forwarded-Proto: ${inHead(r)}`,
  (r) => `Authorization: Bearer ${inHead(r)}`,
  (r) => `traceparent: ${inHead(r)}`,
  (r) => Array.from({ length: 100 }, (_, n) => `x-${n}: ${r.below(9)}`).join('\r\n'),
];

/** Returns the head of an upgrade request: correct for `path`, or wrong in one to three places. */
export function upgradeHead(path: string, random: Random, odd: boolean): string {
  const lines = [
    'Host: 127.0.0.1',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ];
  if (!odd) return `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
  const target = random.chance(0.5) ? path : `${random.chance(0.5) ? random.pick(PATHS) : `/${inHead(random)}`}${random.pick(QUERIES)}`;
  for (let changes = random.between(0, 3); changes > 0; changes--) {
    if (random.chance(0.2)) lines.splice(random.below(lines.length), 1);
    else lines.push(random.pick(ODD_HEADERS)(random));
  }
  const method = random.chance(0.9) ? 'GET' : random.pick(['POST', 'OPTIONS', 'get', 'X', '']);
  return `${method} ${target} HTTP/${random.chance(0.95) ? '1.1' : '1.0'}\r\n${lines.join('\r\n')}\r\n\r\n`;
}

const HTTP_PATHS = ['/fz/a', '/fz/b', '/fz/cond', '/fz/mw', '/fz/%ed%a0%80', '/nowhere', '/fz/%2e%2e', '//'];
const METHODS = ['GET', 'GET', 'POST', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'];
const TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'text/plain',
  'application/x-www-form-urlencoded',
  'application/jsonp',
  '',
];

/** Returns a request for the HTTP listener. Most are valid, so that the engine reads the next one of the connection too. */
export function httpRequest(random: Random): Buffer {
  const query = random.chance(0.5) ? '' : `?a=${inTarget(random)}&${inTarget(random)}=1&a=2`;
  const path = random.chance(0.8) ? random.pick(HTTP_PATHS) : `/fz/${inTarget(random)}`;
  const lines = [`${random.pick(METHODS)} ${path}${query} HTTP/1.1`, 'Host: 127.0.0.1'];
  if (random.chance(0.1)) lines.push(random.pick(ODD_HEADERS)(random));
  if (random.chance(0.2)) lines.push('Access-Control-Request-Method: POST');
  const body = random.chance(0.5) ? mutated(CALL_SEEDS, random) : '';
  if (body === '') return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  lines.push(`Content-Type: ${random.pick(TYPES)}`);
  const bytes = random.chance(0.95) ? Buffer.from(body) : randomBytes(random, 300);
  if (random.chance(0.2)) {
    lines.push('Transfer-Encoding: chunked');
    const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n${bytes.length.toString(16)}\r\n`, 'latin1');
    return Buffer.concat([head, bytes, Buffer.from(bytes.length === 0 ? '\r\n' : '\r\n0\r\n\r\n')]);
  }
  lines.push(`Content-Length: ${bytes.length}`);
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]);
}

/** Returns bytes that end the connection of an HTTP client, or keep the server waiting. */
export function brokenRequest(random: Random): Buffer {
  const bytes = httpRequest(random);
  switch (random.below(6)) {
    case 0:
      return randomBytes(random, 400);
    case 1:
      return bytes.subarray(0, random.below(bytes.length));
    case 2:
      return Buffer.from('POST /fz/a HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{');
    case 3:
      return Buffer.from('POST /fz/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n');
    case 4:
      return Buffer.from(`GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: h\r\n\r\n`);
    default:
      for (let flips = random.between(1, 4); flips > 0; flips--) {
        const at = random.below(bytes.length);
        bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      }
      return bytes;
  }
}

const READ_PATHS = [
  '/stream/fz/a',
  '/stream/fz/b/i',
  '/stream/fz2/a',
  '/stream/fz',
  '/events',
  '/stream//',
  '/stream/%ed%a0%80/a',
  '/events/',
];
const READ_QUERIES: readonly ((random: Random) => string)[] = [
  (r) => `since=${r.pick(['e:1', ':', 'x:9007199254740993', '', ',', 'e:1,e%3A2', inTarget(r)])}`,
  // No request waits for long, because the next one of its connection waits too.
  (r) => `wait=${r.pick(['0', '1', '61', '-1', '1e9', inTarget(r)])}`,
  (r) => `limit=${r.pick(['1', '0', '1000', '1001', inTarget(r)])}`,
  (r) => `after=${r.pick(['i', 'missing', inTarget(r)])}`,
  (r) => `group=${r.pick(['fz/a', 'fz%2Fb', 'fz/a/i', 'fz', inTarget(r)])}`,
  (r) => Array.from({ length: r.between(2, 40) }, (_, n) => `group=fz/${n}`).join('&'),
  (r) => `token=t${r.below(1e6)}`,
];
const READ_HEADERS: readonly ((random: Random) => string)[] = [
  () => 'Accept: text/event-stream',
  (r) => `Last-Event-ID: ${r.pick(['e:1', 'e:1,', ',,,', '%', 'e:9007199254740993', inHead(r)])}`,
  (r) => `If-None-Match: ${r.pick(['*', '""', 'W/"e:1"', inHead(r)])}`,
  (r) => r.pick(ODD_HEADERS)(r),
];

/** Returns a request that reads a stream by plain HTTP. Half of them want an event stream. */
export function readRequest(random: Random): Buffer {
  const path = random.chance(0.8) ? random.pick(READ_PATHS) : `/stream/${inTarget(random)}/${inTarget(random)}`;
  const query = Array.from({ length: random.below(4) }, () => random.pick(READ_QUERIES)(random)).join('&');
  const lines = [
    `${random.chance(0.85) ? 'GET' : random.pick(METHODS)} ${path}${query === '' ? '' : `?${query}`} HTTP/1.1`,
    'Host: 127.0.0.1',
  ];
  for (let headers = random.below(4); headers > 0; headers--) lines.push(random.pick(READ_HEADERS)(random));
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
