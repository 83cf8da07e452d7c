import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { JwtConfig } from '@rivulet/engine';

export const SECRET = 'a-secret-of-the-tests-with-48-characters-in-it!!';
export const RSA = generateKeyPairSync('rsa', { modulusLength: 2_048 });
export const OTHER_RSA = generateKeyPairSync('rsa', { modulusLength: 2_048 });
export const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** Returns a token that was made without any library, so that it can be wrong in every way. A text as `claims` is the payload as it is. */
export function token(claims: object | string, header: object = {}, key: string | KeyObject = SECRET): string {
  const head = { alg: 'HS256', typ: 'JWT', ...header };
  const part = (value: object | string) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const signed = `${part(head)}.${part(claims)}`;
  return `${signed}.${signatureOf(signed, String(head.alg), key)}`;
}

function signatureOf(signed: string, alg: string, key: string | KeyObject): string {
  if (typeof key === 'string') return createHmac('sha256', key).update(signed).digest('base64url');
  const padding = alg.startsWith('PS') ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } : {};
  return sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363', ...padding }).toString('base64url');
}

/** The check of tokens of a listener that knows `SECRET`. Give it the fields that differ. */
export function jwtConfig(more: Partial<JwtConfig> = {}): JwtConfig {
  return {
    algorithms: ['HS256'],
    keys: { kind: 'secret', secret: SECRET },
    issuer: undefined,
    audience: undefined,
    leewayMs: 60_000,
    claim: 'rivulet',
    grants: undefined,
    ...more,
  };
}

/** Returns a token of `ann` that is right for an hour. Claims that are given win. */
export function userToken(claims: object = {}, secret = SECRET): string {
  return token({ sub: 'ann', exp: inSeconds(3_600), ...claims }, {}, secret);
}

/** Returns Unix seconds of a time from now, as tokens have them. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1_000) + seconds;
}
