// Makes the tokens that the engine checks (JWT, RFC 7519). A real login server uses its library, or its identity provider.
import { createHmac } from 'node:crypto';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Returns a token for a person that is right for `seconds`. The engine, the worker and the other pages trust its name and colour. */
export function signToken({ sub, name, color }, secret, seconds) {
  const now = Math.floor(Date.now() / 1000);
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub, name, color, iat: now, exp: now + seconds })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
