import { field, isJsonObject, LIMITS, parseJson, scanJson } from '@rivulet/protocol';
import type { JwtAlgorithm } from '../../config/config.js';
import type { TokenRefusal } from './token-refusal.js';

/** The parts of a token in the compact form. Nothing in it is trusted yet. */
export interface TokenParts {
  readonly algorithm: JwtAlgorithm;
  readonly keyId: string | undefined;
  /** The text that is signed: header and payload. */
  readonly signed: string;
  readonly payload: string;
  readonly signature: string;
}

const KEY_ID_CHARS = 1_024;
/** Values of `typ` that a token for access may have. */
const TYPES: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'application/jwt', 'application/at+jwt']);
/** Header members that change what the token means. The engine understands none of them. */
const NOT_UNDERSTOOD = ['crit', 'b64', 'zip', 'enc'];

/**
 * Reads a token without trust. The header decides only which of the listed algorithms and of the known keys applies. Members that carry
 * or name a key, such as `jwk`, `jku` and `x5u`, have no effect.
 */
export function readParts(token: string, algorithms: ReadonlySet<string>): TokenParts | TokenRefusal {
  if (token.length > LIMITS.tokenChars) return 'token_too_large';
  if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token)) return 'token_malformed';
  const [encodedHeader = '', payload = '', signature = ''] = token.split('.');
  const text = textOf(encodedHeader);
  const header = text === undefined ? undefined : objectOf(text);
  if (text === undefined || header === undefined || hasRepeatedMembers(text, header)) return 'header_malformed';
  const algorithm = field(header, 'alg');
  if (typeof algorithm !== 'string' || !algorithms.has(algorithm)) return 'algorithm_not_allowed';
  if (signature === '') return 'token_malformed';
  if (NOT_UNDERSTOOD.some((name) => Object.hasOwn(header, name))) return 'header_not_understood';
  const type = field(header, 'typ');
  if (type !== undefined && !(typeof type === 'string' && TYPES.has(type.toLowerCase()))) return 'type_not_allowed';
  const keyId = field(header, 'kid');
  if (keyId !== undefined && !(typeof keyId === 'string' && keyId !== '' && keyId.length <= KEY_ID_CHARS)) return 'header_malformed';
  return { algorithm: algorithm as JwtAlgorithm, keyId, signed: token.slice(0, token.lastIndexOf('.')), payload, signature };
}

/** Returns the text of a part, or `undefined` if it is not UTF-8. */
function textOf(encoded: string): string | undefined {
  const bytes = Buffer.from(encoded, 'base64url');
  const text = bytes.toString();
  // Bytes that are no UTF-8 become U+FFFD, so the text has other bytes.
  return Buffer.byteLength(text) === bytes.length && (!text.includes('\ufffd') || bytes.equals(Buffer.from(text))) ? text : undefined;
}

/** Returns the object of a JSON text within the bounds of a message, or `undefined`. */
function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  if (scanJson(text).kind !== 'ok') return undefined;
  const value = parseJson(text);
  return isJsonObject(value) ? value : undefined;
}

/** Reads the payload of a token whose signature is right. */
export function readPayload(payload: string): Readonly<Record<string, unknown>> | undefined {
  const text = textOf(payload);
  return text === undefined ? undefined : objectOf(text);
}

/**
 * Returns whether a member stands twice in a JSON text. Readers differ in which of the two they take, so such a header could mean one thing
 * here and another one elsewhere.
 */
function hasRepeatedMembers(text: string, value: unknown): boolean {
  const written = Array.from(text.matchAll(/"(?:[^"\\]|\\.)*"\s*(:?)/g)).filter(([, colon]) => colon === ':').length;
  return written !== membersOf(value);
}

function membersOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce<number>((sum, each) => sum + membersOf(each), own);
}
