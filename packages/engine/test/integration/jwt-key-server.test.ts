import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { LIMITS } from '@rivulet/protocol';
import { EC, jwtConfig, RSA, token } from '@rivulet/testkit/jwt-tokens';
import { Random } from '@rivulet/testkit/random';
import { expect, onTestFinished, test } from 'vitest';
import { JwtAccess } from '../../src/core/jwt/jwt-access.js';
import type { TokenResult } from '../../src/core/jwt/token-check.js';
import { silentLogger } from '../../src/logging/logger.js';

/** Failures of the key server in the campaign. `RIVULET_KEY_SERVER_FAILURES=10000` runs the whole of it. */
const FAILURES = Number(process.env.RIVULET_KEY_SERVER_FAILURES ?? 200);
const SEED = Number(process.env.RIVULET_KEY_SERVER_SEED ?? 1);
/** Time that the engine waits for a server that is slow on purpose. A server that is not has far more. */
const SLOW_MS = 15;

interface Pair {
  readonly alg: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const ecPair = (): Pair => ({ alg: 'ES256', ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) });
const PAIRS: readonly Pair[] = [...Array.from({ length: 6 }, ecPair), { alg: 'RS256', ...RSA }];
const ATTACKER = ecPair();
const KEY_IDS = ['a', 'b', 'c', 'd', '__proto__', 'a.b/c'];

/** The keys of a document by their ids. */
type Keys = ReadonlyMap<string, Pair>;

const jwkOf = ({ publicKey }: Pick<Pair, 'publicKey'>, more: object) => ({ ...publicKey.export({ format: 'jwk' }), ...more });
const documentOf = (keys: Keys, more: readonly unknown[] = []) =>
  JSON.stringify({ keys: [...more, ...[...keys].map(([kid, pair]) => jwkOf(pair, { kid, use: 'sig', alg: pair.alg }))] });

/** Keys that every reader must ignore. */
const JUNK: readonly unknown[] = [
  null,
  'key',
  { kty: 'oct', k: 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA', kid: 'a' },
  jwkOf(ATTACKER, { kid: 'a', use: 'enc' }),
  jwkOf(ATTACKER, { kid: 7 }),
  jwkOf(ATTACKER, {}),
  { ...jwkOf(ATTACKER, { kid: 'b' }), x: 'AAAA' },
  { kty: 'RSA', kid: 'b', n: 'AQAB', e: 'AQAB' },
];

type Answer = (response: ServerResponse, text: string) => void;

/** Ways to answer with a document that the engine must take. */
const GOOD: readonly Answer[] = [
  (response, text) => response.end(text),
  (response, text) => response.end(text.padEnd(LIMITS.jwtKeysBytes)),
  (response, text) => {
    for (let at = 0; at < text.length; at += 300) response.write(text.slice(at, at + 300));
    response.end();
  },
  (response, text) => response.writeHead(200, { 'content-type': 'text/html', connection: 'keep-alive' }).end(text),
  (response, text) => response.end(JSON.stringify({ keys: [...JUNK, ...(JSON.parse(text) as { keys: [] }).keys], more: 1 })),
];

/** Ways to fail, quickly or slowly. After each of them the engine must keep the keys that it has. */
const BAD: readonly { readonly slow: boolean; readonly answer: Answer }[] = [
  ...[204, 206, 304, 401, 404, 500, 503].map((status) => ({
    slow: false,
    answer: (response: ServerResponse, text: string) => response.writeHead(status).end(status === 204 || status === 304 ? '' : text),
  })),
  { slow: false, answer: (response) => response.writeHead(302, { location: `/evil` }).end() },
  { slow: false, answer: (response, text) => response.end(text.padEnd(LIMITS.jwtKeysBytes + 1)) },
  { slow: false, answer: (response, text) => response.end(text.padStart(LIMITS.jwtKeysBytes * 40)) },
  { slow: false, answer: (response, text) => response.end(text.slice(0, -1)) },
  { slow: false, answer: (response, text) => response.end(`${text}x`) },
  { slow: false, answer: (response) => response.end('<html>') },
  { slow: false, answer: (response) => response.end() },
  { slow: false, answer: (response) => response.end('{"keys":[]}') },
  { slow: false, answer: (response) => response.end(JSON.stringify({ keys: JUNK })) },
  { slow: false, answer: (response, text) => response.end(`{"keys":{"a":${text}}}`) },
  {
    slow: false,
    answer: (response) =>
      response.end(
        documentOf(
          new Map([['a', ATTACKER]]),
          Array.from({ length: LIMITS.jwtKeys }, () => null),
        ),
      ),
  },
  { slow: false, answer: (response) => response.end('['.repeat(60_000)) },
  { slow: false, answer: (response, text) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(text)) },
  { slow: false, answer: (response) => void response.socket?.destroy() },
  {
    slow: false,
    answer: (response, text) => {
      response.writeHead(200, { 'content-length': text.length + 1 });
      response.write(text, () => response.socket?.destroy());
    },
  },
  {
    slow: false,
    answer: (response, text) => {
      response.write(text.slice(0, 50), () => response.socket?.resetAndDestroy());
    },
  },
  { slow: false, answer: (response) => void response.socket?.end('HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n{"keys":[]}') },
  { slow: false, answer: (response) => void response.socket?.end('\u0000\u0001\u0002') },
  { slow: true, answer: () => {} },
  { slow: true, answer: (response) => response.flushHeaders() },
  { slow: true, answer: (response, text) => void response.write(text) },
  {
    slow: true,
    answer: (response, text) => {
      const timer = setInterval(() => response.write(text[0] ?? ''), 3);
      response.once('close', () => clearInterval(timer));
    },
  },
];

/** A key server whose answers the test chooses. It counts its requests. */
async function startKeyServer() {
  const state = { keys: new Map<string, Pair>() as Keys, answer: GOOD[0] as Answer, requests: 0, paths: new Set<string>() };
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    state.paths.add(request.url ?? '');
    state.requests++;
    response.on('error', () => {});
    state.answer(response, documentOf(state.keys));
  };
  const server = createServer({ keepAlive: true }, handle);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { state, server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys` };
}

interface Presented {
  readonly text: string;
  /** The key whose signature the token has; `undefined`: the token is wrong whatever keys there are. */
  readonly pair: Pair | undefined;
  readonly keyId: string;
  readonly expiresAtMs: number;
}

/** Returns a token that a client may send: most are signed by a key that the server may have, and some are forged. */
function tokenOf(random: Random, nowMs: number, keys: Keys): Presented {
  const [keyId, pair] = keys.size > 0 && random.chance(0.7) ? random.pick([...keys]) : [random.pick(KEY_IDS), random.pick(PAIRS)];
  const exp = Math.floor(nowMs / 1_000) + random.pick([20, 4_000, 40_000, 4_000_000]);
  const claims = { sub: 'ann', exp, jti: random.next() };
  const header = { alg: pair.alg, kid: keyId };
  const right = { text: token(claims, header, pair.privateKey), pair, keyId, expiresAtMs: exp * 1_000 };
  const forged = (text: string): Presented => ({ ...right, text, pair: undefined });
  const [head, , signature = ''] = right.text.split('.');
  switch (random.below(14)) {
    case 0:
      return forged(token(claims, { alg: 'ES256', kid: keyId }, ATTACKER.privateKey));
    case 1:
      return forged(token(claims, { alg: 'HS256', kid: keyId }, pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()));
    case 2:
      return forged(token(claims, { alg: pair.alg }, pair.privateKey));
    case 3:
      return forged(`${head}.${Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url')}.${signature}`);
    case 4:
      return forged(right.text.replace(/[^.]*$/, Buffer.alloc(64).toString('base64url')));
    case 5:
      return forged(token(claims, { alg: 'none', kid: keyId }, EC.privateKey));
    case 6:
      return forged(token(claims, { ...header, jwk: jwkOf(ATTACKER, {}) }, ATTACKER.privateKey));
    default:
      return right;
  }
}

/** Ends the campaign, because the engine did what it must not do. */
function demand(isKept: boolean, broken: string): void {
  if (!isKept) throw new Error(broken);
}

const isRight = (keys: Keys | undefined, { pair, keyId }: Presented) => pair !== undefined && keys?.get(keyId) === pair;

test(`S18 ${FAILURES} random failures of the key server let nobody in who should not be, and keep nobody out whose key is known`, async () => {
  const random = new Random(SEED);
  const start = Date.now();
  let time = 0;
  const { state, server, url } = await startKeyServer();
  let isSlow = false;
  const config = jwtConfig({ algorithms: ['ES256', 'RS256'], keys: { kind: 'jwks_url', url } });
  const clock = { now: () => start + time, monotonic: () => time };
  const access = new JwtAccess(config, clock, silentLogger, () => (isSlow ? SLOW_MS : 60_000));
  onTestFinished(() => access.close());
  const check = (text: string) => access.check({ headers: {}, protocols: [], rawQuery: '', addressGroup: '' }, text);
  /** Resolves when no request runs any more: a token with an unknown key waits for it. */
  const settled = () => check(token({ sub: 'eve', exp: 4e9 }, { alg: 'ES256', kid: 'nobody' }, ATTACKER.privateKey));

  let good: { readonly keys: Keys; readonly at: number } | undefined;
  const known = () => (good !== undefined && time - good.at <= LIMITS.jwtKeysStaleMs ? good.keys : undefined);
  const recent: Presented[] = [];
  const met = { right: 0, forged: 0, failures: 0, rotations: 0, unknownThenRight: 0, staleRefused: 0 };
  // A request that the engine has given up may reach the server in a later step, so the engine counts.
  const fetches = () => Object.values(access.counts.fetches).reduce((sum, times) => sum + times, 0);
  // The first request has begun, and the server has no keys yet.
  await settled();
  let lastFetch = 0;

  for (let step = 0; met.failures < FAILURES; step++) {
    demand(step < FAILURES * 10, `the engine made ${fetches()} requests in ${step} steps`);
    const { jwtKeysRetryMs, jwtKeysPauseMs, jwtKeysFreshMs, jwtKeysStaleMs } = LIMITS;
    // Keys become too old in one step of 20.
    time += random.chance(0.05)
      ? jwtKeysStaleMs + 1
      : random.pick([0, 900, jwtKeysRetryMs, jwtKeysPauseMs, jwtKeysPauseMs, jwtKeysFreshMs + 1]);
    if (random.chance(0.3)) {
      met.rotations++;
      state.keys = new Map(KEY_IDS.filter(() => random.chance(0.6)).map((kid) => [kid, random.pick(PAIRS)]));
    }
    const bad = random.chance(0.6) || state.keys.size === 0 ? random.pick(BAD) : undefined;
    isSlow = bad?.slow ?? false;
    state.answer = bad?.answer ?? random.pick(GOOD);
    const fetchesBefore = fetches();
    const [before, keysNow] = [known(), state.keys];
    const tokens = Array.from({ length: random.between(1, 6) }, () =>
      recent.length > 0 && random.chance(0.4) ? random.pick(recent) : tokenOf(random, start + time, state.keys),
    );
    const results: readonly TokenResult[] = await Promise.all(tokens.map(({ text }) => check(text)));
    await settled();
    const fetched = fetches() - fetchesBefore;
    const at = `step ${step} of seed ${SEED}`;
    demand(fetched <= 1, `${at}: ${fetched} requests`);
    if (fetched === 1) {
      const pauseMs = before === undefined ? LIMITS.jwtKeysRetryMs : LIMITS.jwtKeysPauseMs;
      demand(time - lastFetch >= pauseMs, `${at}: a request ${time - lastFetch} ms after the one before`);
      lastFetch = time;
      if (bad === undefined) good = { keys: keysNow, at: time };
      else met.failures++;
    }
    for (const [index, presented] of tokens.entries()) {
      const { kind } = results[index] as TokenResult;
      const isExpired = presented.expiresAtMs <= start + time;
      const mustBeRight =
        !isExpired && (isRight(before, presented) || (isRight(known(), presented) && before?.has(presented.keyId) !== true));
      const detail = JSON.stringify({ keyId: presented.keyId, result: results[index], before: [...(before?.keys() ?? [])] });
      demand((kind === 'right') === mustBeRight, `${at}: ${detail}`);
      if (kind === 'right') met.right++;
      if (kind === 'right' && before?.has(presented.keyId) !== true) met.unknownThenRight++;
      if (presented.pair === undefined) met.forged++;
      if (before === undefined && kind === 'undecided') met.staleRefused++;
      recent.push(presented);
    }
    recent.splice(0, recent.length - 40);
  }
  // The run has met every case, and followed no redirect.
  expect(Object.entries(met).filter(([, times]) => times < FAILURES / 50)).toEqual([]);
  expect([...state.paths]).toEqual(['/keys']);
  expect(state.requests).toBeLessThanOrEqual(fetches());
  expect(access.counts.fetches.failed).toBeGreaterThanOrEqual(met.failures);
  if (process.env.RIVULET_FIGURES !== undefined) console.log(JSON.stringify({ ...met, requests: state.requests, ...access.counts.checks }));
  access.close();
  await expect.poll(() => new Promise((resolve) => void server.getConnections((_error, open) => resolve(open)))).toBe(0);
}, 1_200_000);
