import { createHash } from 'node:crypto';
import type { UpgradeRequest } from './upgrade-request.js';

/** Headers that differ from one request of a client to the next, and so do not identify the client. */
const PER_REQUEST = new Set([
  'sec-websocket-key',
  'date',
  'traceparent',
  'tracestate',
  'x-amzn-trace-id',
  'x-b3-spanid',
  'x-b3-traceid',
  'x-cloud-trace-context',
  'x-correlation-id',
  'x-forwarded-port',
  'x-request-id',
  'x-request-start',
  'cf-ray',
]);

/**
 * Returns a digest of everything by which an auth function may identify a client: path, query and headers. Only that function knows where
 * the token is, so all of them count. Nobody can read the token back from the digest.
 */
export function credentialDigest(request: UpgradeRequest): string {
  const hash = createHash('sha256').update(JSON.stringify([request.path, request.rawQuery]));
  for (const [name, value] of Object.entries(request.headers)) if (!PER_REQUEST.has(name)) hash.update(JSON.stringify([name, value]));
  return hash.digest('base64');
}
