import type { Random } from '@rivulet/testkit/random';
import { randomBytes } from './frames.js';
import { inTarget, ODD_HEADERS } from './heads.js';
import { CALL_SEEDS } from './seeds.js';
import { mutated } from './strange.js';

/** The paths of docs/admin.md, without those that end sessions or wait for long. `*` stands for a name. */
const READS = [
  '/',
  '/assets/*',
  '/health',
  '/ready',
  '/metrics',
  '/api/engine',
  '/api/overview',
  '/api/limits-hit',
  '/api/warnings',
  '/api/streams',
  '/api/streams/*/groups',
  '/api/streams/*/groups/*',
  '/api/streams/*/groups/*/log',
  '/api/streams/*/groups/*/items',
  '/api/streams/*/groups/*/items/*',
  '/api/sessions',
  '/api/sessions/*',
  '/api/reads',
  '/api/workers',
  '/api/workers/*',
  '/api/functions',
  '/api/functions/*',
  '/api/triggers',
  '/api/triggers/*',
  '/api/why',
  '/api/*',
];
const WRITES: readonly (readonly [method: string, path: string])[] = [
  ['POST', '/api/streams/*/groups/*/send'],
  ['PUT', '/api/streams/*/groups/*/items/*'],
  ['DELETE', '/api/streams/*/groups/*/items/*'],
  ['POST', '/api/call/stream::get'],
  ['POST', '/api/call/*'],
];
const NAMES = ['fz', 'fz2', 'a', 'b', 'i', 'fz::fn', 'stream::set', 'constructor', '__proto__'];
const QUERIES: readonly ((random: Random) => string)[] = [
  (r) => `limit=${r.pick(['1', '2', '1000', '1001', '-1', inTarget(r)])}`,
  (r) => `after=${r.pick(['', 'a', '0', '1', '9007199254740993', '7:default', inTarget(r)])}`,
  (r) => `search=${r.pick(['', 'a', 'Z', '%', inTarget(r)])}`,
  (r) => `since=${r.pick(['0', '9007199254740991', '-1', inTarget(r)])}`,
  (r) => `namespace=${r.pick(['default', 'analytics', inTarget(r)])}`,
  (r) => `worker=${inTarget(r)}`,
  (r) => `session=${inTarget(r)}&stream=fz&group=a&item=i&offset=${r.below(9)}`,
  (r) => `timeout_ms=${r.pick(['1', '50', '0', inTarget(r)])}`,
];

/** Returns a request for the admin listener. Most are valid, so that the engine reads the next one of the connection too. */
export function adminRequest(random: Random): Buffer {
  const [method, path] = random.chance(0.75) ? ['GET', random.pick(READS)] : random.pick(WRITES);
  const named = path.replace(/\*/g, () => (random.chance(0.6) ? random.pick(NAMES) : inTarget(random)));
  const query = Array.from({ length: random.chance(0.4) ? random.between(1, 2) : 0 }, () => random.pick(QUERIES)(random)).join('&');
  const used = random.chance(0.95) ? method : random.pick(['HEAD', 'OPTIONS', 'PATCH', 'DELETE', 'POST']);
  const lines = [`${used} ${named}${query === '' ? '' : `?${query}`} HTTP/1.1`, 'Host: 127.0.0.1'];
  if (random.chance(0.05)) lines.push(random.pick(ODD_HEADERS)(random));
  if (used === 'GET' || used === 'HEAD') return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  if (random.chance(0.95)) lines.push('Content-Type: application/json');
  const body = random.chance(0.95) ? Buffer.from(bodyOf(random)) : randomBytes(random, 300);
  lines.push(`Content-Length: ${body.length}`);
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
}

function bodyOf(random: Random): string {
  return random.chance(0.5)
    ? mutated(CALL_SEEDS, random)
    : random.pick(['', 'null', '{}', '{ }', '[]', '{"type":"t","data":1}', '{"id":7}']);
}
