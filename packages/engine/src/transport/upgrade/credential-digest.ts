import { createHash } from 'node:crypto';
import type { UpgradeRequest } from './upgrade-request.js';

/** Headers that differ from one request to the next of the same client, and so tell nothing of who it is. */
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
 * Stands for all by which an auth function may tell who asks: path, query and headers. Where a token is found among them is known to
 * that function alone. Nothing can be read back from it.
 */
export function credentialDigest(request: UpgradeRequest): string {
  const hash = createHash('sha256').update(JSON.stringify([request.path, request.rawQuery]));
  for (const [name, value] of Object.entries(request.headers)) if (!PER_REQUEST.has(name)) hash.update(JSON.stringify([name, value]));
  return hash.digest('base64');
}
