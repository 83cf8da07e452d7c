import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { LIMITS } from '@rivulet/protocol';
import { isLoopback } from '../../structures/ip-address.js';
import { messageOf } from '../../structures/message-of.js';
import { reachesEngineNames } from '../engine-prefixes.js';
import {
  GRANTS_BOUND,
  JWKS_URL_BOUND,
  JWT_KEYS,
  type JwtConfig,
  type JwtGrants,
  type JwtKeySource,
  type KeyPairAlgorithm,
  PUBLIC_KEY_BOUND,
  SECRET_ALGORITHMS,
  SECRET_BOUND,
  SECRET_BYTES,
  type SecretAlgorithm,
} from '../keys/jwt-keys.js';
import { readFields, schemaOf, type Values } from '../keys/key.js';
import { readPartPattern } from '../part-pattern.js';
import type { KeyPath } from './config-source.js';
import type { Findings } from './findings.js';
import { isMapping, readSection } from './read-section.js';
import { HIDDEN_TOKEN } from './read-token.js';

const jwtSchema = schemaOf(JWT_KEYS);

const SECRET_MOST_BYTES = 1_024;
const GRANTS = 100;
const PATTERN_BYTES = 1_024;
const RSA_BITS = 2_048;
/** Largest file of a public key. A certificate has a few KiB. */
const KEY_FILE_CHARS = 65_536;

type JwtValues = Values<typeof JWT_KEYS>;

/**
 * Reads `auth` of a listener. An unknown key is an error in both formats, even with `--lenient-config`, because the listener could let in
 * more than the operator meant. Returns `undefined` when there is no `auth`, or when it is wrong, and reports why.
 */
export function readAuth(value: unknown, path: KeyPath, resolvePath: (path: string) => string, findings: Findings): JwtConfig | undefined {
  if (value === undefined) return undefined;
  if (!isMapping(value) || !isMapping(value.jwt)) {
    findings.problem(path, 'auth has no jwt, which would check no token; give it jwt with algorithms and a key, or remove auth');
    return undefined;
  }
  for (const key of Object.keys(value)) if (key !== 'jwt') findings.unknownKey('rules', [...path, key], ['jwt']);
  const place = [...path, 'jwt'];
  const values = readSection(jwtSchema, { value: value.jwt, path: place, form: 'rules' }, findings);
  if (values === undefined) return undefined;
  const grants = readGrants(values.grants, [...place, 'grants'], findings);
  const keys = readKeys(values, place, resolvePath, findings);
  if (keys === undefined) return undefined;
  if (keys.kind === 'jwks_url' && values.audience === undefined) {
    const others = 'tokens that the same identity provider makes for other applications are let in too';
    findings.warn('jwt_without_audience', place, `${others}; set audience to the value of aud in tokens for this application`);
  }
  return { ...readFields(JWT_KEYS, values), keys, grants };
}

/** Reads the one source of keys, and checks that the algorithms fit it. */
function readKeys(
  { algorithms, secret, public_key: publicKey, jwks_url: jwksUrl }: JwtValues,
  path: KeyPath,
  resolvePath: (path: string) => string,
  findings: Findings,
): JwtKeySource | undefined {
  const given = Object.entries({ secret, public_key: publicKey, jwks_url: jwksUrl }).filter(([, value]) => value !== undefined);
  const [[name, value] = [undefined, undefined]] = given;
  if (given.length !== 1 || name === undefined) {
    findings.problem(path, 'jwt needs exactly one of secret, public_key and jwks_url');
    return undefined;
  }
  const place = [...path, name];
  const withSecret = algorithms.filter((algorithm) => isSecretAlgorithm(algorithm));
  const withPair = algorithms.filter((algorithm) => !isSecretAlgorithm(algorithm));
  if (name === 'secret' ? withPair.length > 0 : withSecret.length > 0) {
    const fitting = name === 'secret' ? SECRET_ALGORITHMS.join(', ') : 'algorithms of a key pair, such as RS256 or ES256';
    findings.problem([...path, 'algorithms'], `${name} allows only ${fitting}; list only algorithms that fit the key`);
    return undefined;
  }
  const read = { secret: readSecret, public_key: readPublicKey, jwks_url: readJwksUrl }[name as JwtKeySource['kind']];
  const problem = (message: string) => {
    findings.problem(place, message);
    return undefined;
  };
  return read(value, { withSecret, withPair, resolvePath, problem });
}

interface KeyReading {
  /** Algorithms of secrets that the configuration lists. */
  readonly withSecret: readonly SecretAlgorithm[];
  /** Algorithms of key pairs that the configuration lists. */
  readonly withPair: readonly KeyPairAlgorithm[];
  readonly resolvePath: (path: string) => string;
  readonly problem: (message: string) => undefined;
}

function isSecretAlgorithm(algorithm: string): algorithm is SecretAlgorithm {
  return SECRET_ALGORITHMS.some((each) => each === algorithm);
}

function readSecret(value: unknown, { withSecret, problem }: KeyReading): JwtKeySource | undefined {
  if (typeof value !== 'string' || value === HIDDEN_TOKEN) return problem(`this value is not valid; expected ${SECRET_BOUND}`);
  const bytes = Buffer.byteLength(value);
  if (bytes > SECRET_MOST_BYTES) return problem(`this secret is too long; expected ${SECRET_BOUND}`);
  const [unfit] = withSecret.filter((algorithm) => bytes < SECRET_BYTES[algorithm]).sort((a, b) => SECRET_BYTES[b] - SECRET_BYTES[a]);
  if (unfit !== undefined)
    return problem(
      `${unfit} needs a secret of ${SECRET_BYTES[unfit]} bytes or more, because a shorter one can be guessed from one token; ` +
        'make one with "openssl rand -hex 32", or list only algorithms for which the secret is long enough',
    );
  if (value.includes('-----BEGIN')) return problem('this is a key in PEM and no secret; use public_key, with RS256, ES256 or EdDSA');
  return { kind: 'secret', secret: value };
}

function readPublicKey(value: unknown, { withPair, resolvePath, problem }: KeyReading): JwtKeySource | undefined {
  if (typeof value !== 'string' || value === '') return problem(`this value is not valid; expected ${PUBLIC_KEY_BOUND}`);
  let text = value;
  if (!value.includes('-----BEGIN')) {
    try {
      text = readFileSync(resolvePath(value), 'utf8');
    } catch (error) {
      // The value may be a secret in the wrong place, so no message shows it.
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
      return problem(`this is no PEM, and no file that can be read (${code})`);
    }
  }
  if (text.length > KEY_FILE_CHARS) return problem('the file is too large for a public key; expected PEM');
  if (text.includes('PRIVATE KEY')) return problem('this is a private key; give the engine the public one only');
  let key: KeyObject;
  try {
    key = createPublicKey(text);
  } catch (error) {
    return problem(`this is no public key in PEM: ${messageOf(error)}`);
  }
  const wrong = withPair.find((algorithm) => !fits(key, algorithm));
  if (wrong !== undefined) return problem(`the key can't check ${wrong}; list only algorithms that fit the key`);
  return { kind: 'public_key', pem: key.export({ type: 'spki', format: 'pem' }).toString() };
}

const CURVES: Readonly<Record<string, string>> = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' };

/** Returns whether a public key is of the kind that an algorithm needs. */
function fits(key: KeyObject, algorithm: KeyPairAlgorithm): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (algorithm === 'EdDSA') return type === 'ed25519';
  if (algorithm.startsWith('ES')) return type === 'ec' && details?.namedCurve === CURVES[algorithm];
  return type === 'rsa' && (details?.modulusLength ?? 0) >= RSA_BITS;
}

function readJwksUrl(value: unknown, { problem }: KeyReading): JwtKeySource | undefined {
  const wrong = `this value is not valid; expected ${JWKS_URL_BOUND}`;
  // oxlint-disable-next-line eslint/no-restricted-globals -- canParse does not throw
  if (typeof value !== 'string' || value.length > 2_048 || !URL.canParse(value)) return problem(wrong);
  // oxlint-disable-next-line eslint/no-restricted-globals -- canParse decides before the constructor runs
  const { protocol, hostname, username, password, hash, href } = new URL(value);
  const isLocal = isLoopback(hostname.replace(/^\[|\]$/g, ''));
  if (protocol !== 'https:' && !(protocol === 'http:' && isLocal)) return problem(wrong);
  if (username !== '' || password !== '' || hash !== '') return problem('the URL has a user, a password or a fragment; remove it');
  return { kind: 'jwks_url', url: href };
}

/** Reads the grants of tokens without the claim. Every pattern must be able to allow something. */
function readGrants(value: unknown, path: KeyPath, findings: Findings): JwtGrants | undefined {
  if (value === undefined) return undefined;
  if (!isMapping(value)) {
    findings.problem(path, `this value is not valid; expected ${GRANTS_BOUND}`);
    return undefined;
  }
  for (const key of Object.keys(value))
    if (!Object.hasOwn(PROBLEMS, key)) findings.unknownKey('rules', [...path, key], Object.keys(PROBLEMS));
  const list = (key: keyof JwtGrants): readonly string[] => {
    const patterns = value[key] ?? [];
    const place = [...path, key];
    if (!Array.isArray(patterns) || patterns.length > GRANTS) {
      findings.problem(place, `this value is not valid; expected a list of at most ${GRANTS} patterns`);
      return [];
    }
    return patterns.flatMap((pattern: unknown, index) => {
      const problem = typeof pattern === 'string' ? (commonProblem(pattern) ?? PROBLEMS[key](pattern)) : 'a pattern is a text in quotes';
      if (problem === undefined) return [pattern as string];
      findings.problem([...place, index], problem);
      return [];
    });
  };
  return { join: list('join'), call: list('call'), lease: list('lease') };
}

function commonProblem(pattern: string): string | undefined {
  if (pattern === '' || Buffer.byteLength(pattern) > PATTERN_BYTES || /\p{Cc}/u.test(pattern))
    return `a pattern has 1 to ${PATTERN_BYTES} bytes without control characters`;
  if (/[{}]/.test(pattern.replaceAll('{sub}', ''))) return 'the only placeholder is {sub}';
  return undefined;
}

/** Returns what is wrong with a pattern of each list. */
const PROBLEMS: Readonly<Record<keyof JwtGrants, (pattern: string) => string | undefined>> = {
  join: (pattern) => pathProblem(pattern, [2, 3], 'stream/group or stream/group/item'),
  lease: (pattern) => pathProblem(pattern, [2], 'stream/group'),
  call: (pattern) => {
    if (readPartPattern(pattern, '::') === undefined) return 'a pattern is an id such as app::read, in which * stands for one whole part';
    const isEngine = !pattern.startsWith('*') && reachesEngineNames(pattern) && /^(engine|stream|state)::/.test(pattern);
    return isEngine ? 'grants never reach functions of the engine; write a function of your own' : undefined;
  },
};

function pathProblem(pattern: string, lengths: readonly number[], form: string): string | undefined {
  const parts = readPartPattern(pattern, '/');
  const isWrong = parts === undefined || !lengths.includes(parts.length);
  if (isWrong) return `expected ${form}, in which * stands for one whole part`;
  return parts.some((part) => part !== null && Buffer.byteLength(part) > LIMITS.idBytes)
    ? `a part has at most ${LIMITS.idBytes} bytes`
    : undefined;
}
