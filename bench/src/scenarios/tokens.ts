import { createHmac, createSecretKey, generateKeyPairSync, type KeyObject, sign, timingSafeEqual, verify } from 'node:crypto';
import { JwtAccess, type JwtConfig, silentLogger } from '@rivulet/engine/parts';
import { Figures, target } from '../measure/figures.js';
import type { Effort, Scenario } from '../scenario.js';

const IN_FLIGHT = 100;
/** More tokens than a listener remembers, so that each check is one of a token that it does not know. */
const TOKENS = 12_000;
const SECRET = 'a-secret-of-the-benchmark-that-has-48-characters';

interface Algorithm {
  readonly name: 'HS256' | 'RS256' | 'ES256';
  readonly keys: JwtConfig['keys'];
  sign(signed: string): Buffer;
  /** Checks a signature with the library of Node alone. */
  verify(signed: string, signature: Buffer): boolean;
}

/** Measures checks of tokens for each second of processor time, all threads of the process included. */
export const tokens: Scenario = {
  name: 'tokens',
  async run(effort, say) {
    const figures = new Figures();
    const algorithms = [ofSecret(), ofKeyPair('RS256'), ofKeyPair('ES256')];
    for (const algorithm of algorithms) {
      say(`tokens: signs tokens by ${algorithm.name}`);
      const texts = Array.from({ length: Math.max(IN_FLIGHT, TOKENS * effort.scale) }, (_, index) => tokenOf(algorithm, index));
      for (let run = 0; run < effort.runs; run++) {
        say(`tokens run ${run + 1}/${effort.runs}: ${algorithm.name}`);
        await measure(algorithm, texts, effort, figures);
      }
    }
    const perCpu = (name: string) => figures.median(`rivulet: ${name}`);
    return {
      scenario: tokens.name,
      title: `Checks of tokens for each second of processor time, ${IN_FLIGHT} in flight`,
      figures: figures.list(),
      targets: [
        target('HS256', perCpu('HS256'), 'at least', 20_000),
        target('RS256, 2048 bits', perCpu('RS256'), 'at least', 12_000),
        target('ES256', perCpu('ES256'), 'at least', 6_000),
      ],
      notes: [
        'A check reads header, signature, claims and grants of a token that the listener does not know. The peer checks the signature only, with `node:crypto` and without threads.',
        'The engine checks key pairs with `jose`, in threads. Their processor time counts, and the event loop is free meanwhile.',
      ],
    };
  },
};

async function measure(algorithm: Algorithm, texts: readonly string[], { warmUpMs, windowMs }: Effort, figures: Figures): Promise<void> {
  const config: JwtConfig = {
    algorithms: [algorithm.name],
    keys: algorithm.keys,
    issuer: 'https://id.example.com',
    audience: ['app'],
    leewayMs: 60_000,
    claim: 'rivulet',
    grants: undefined,
  };
  const access = new JwtAccess(config, { now: Date.now, monotonic: () => performance.now() }, silentLogger);
  const check = async (text: string) =>
    (await access.check({ headers: {}, protocols: [], rawQuery: '', addressGroup: '' }, text)).kind === 'right';
  const bare = (text: string) => {
    const dot = text.lastIndexOf('.');
    return Promise.resolve(algorithm.verify(text.slice(0, dot), Buffer.from(text.slice(dot + 1), 'base64url')));
  };
  for (const [name, one, of] of [
    [`rivulet: ${algorithm.name}`, check, texts],
    [`rivulet: ${algorithm.name}, a known token`, check, texts.slice(0, IN_FLIGHT)],
    [`node:crypto: ${algorithm.name}`, bare, texts],
  ] as const) {
    await perCpuSecond(one, of, warmUpMs);
    figures.add(name, '/s', await perCpuSecond(one, of, windowMs));
  }
  access.close();
}

/** Checks tokens in turn for some time. Resolves with the number of checks in a second of processor time. */
async function perCpuSecond(check: (text: string) => Promise<boolean>, texts: readonly string[], forMs: number): Promise<number> {
  const until = performance.now() + forMs;
  const before = process.cpuUsage();
  let checked = 0;
  let next = 0;
  const lane = async () => {
    while (performance.now() < until) {
      const text = texts[next++ % texts.length] as string;
      if (!(await check(text))) throw new Error('a right token was refused');
      checked++;
      // Lanes take turns also when a check needs no thread, as requests do.
      if (checked % IN_FLIGHT === 0) await new Promise(setImmediate);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  const { user, system } = process.cpuUsage(before);
  return checked / ((user + system) / 1_000_000);
}

function tokenOf(algorithm: Algorithm, index: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const sub = `user-${index}`;
  const grants = { join: ['chat/*', `inbox/${sub}`], call: ['app::*'], lease: ['presence/*'] };
  const claims = { sub, iss: 'https://id.example.com', aud: 'app', iat: 1_800_000_000, exp: 4_000_000_000, rivulet: grants };
  const signed = `${part({ alg: algorithm.name, typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${algorithm.sign(signed).toString('base64url')}`;
}

function ofSecret(): Algorithm {
  const key = createSecretKey(SECRET, 'utf8');
  const hashOf = (signed: string) => createHmac('sha256', key).update(signed).digest();
  return {
    name: 'HS256',
    keys: { kind: 'secret', secret: SECRET },
    sign: hashOf,
    verify: (signed, signature) => timingSafeEqual(hashOf(signed), signature),
  };
}

function ofKeyPair(name: 'RS256' | 'ES256'): Algorithm {
  const { publicKey, privateKey } = name === 'RS256' ? rsaPair() : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const options = { dsaEncoding: 'ieee-p1363' } as const;
  return {
    name,
    keys: { kind: 'public_key', pem: publicKey.export({ type: 'spki', format: 'pem' }).toString() },
    sign: (signed) => sign('sha256', Buffer.from(signed), { key: privateKey, ...options }),
    verify: (signed, signature) => verify('sha256', Buffer.from(signed), { key: publicKey, ...options }, signature),
  };
}

function rsaPair(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync('rsa', { modulusLength: 2_048 });
}
