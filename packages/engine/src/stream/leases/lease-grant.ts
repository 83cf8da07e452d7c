import { field, isJsonObject, type JsonText, LIMITS, parseJson, scanJson } from '@rivulet/protocol';
import { isValidId } from '../../store/shared/ids.js';
import type { LeaseGrant } from './leases.js';

/** Milliseconds for which an item outlives a dropped connection when nobody names a time. */
export const DEFAULT_GRACE_MS = 10_000;

/** Reads `lease` of the answer of a join function (rule RV-41). Returns `undefined` when the answer has none. */
export function readLeaseGrant(answer: JsonText | undefined): LeaseGrant | undefined | 'malformed' {
  if (answer === undefined || !answer.includes('"lease"')) return undefined;
  const result: unknown = parseJson(answer);
  const lease = isJsonObject(result) ? (field(result, 'lease') ?? undefined) : undefined;
  if (lease === undefined) return undefined;
  if (!isJsonObject(lease)) return 'malformed';
  const item = field(lease, 'item_id');
  const graceMs = field(lease, 'grace_ms') ?? DEFAULT_GRACE_MS;
  const clientData = field(lease, 'client_data') ?? false;
  const data = JSON.stringify(field(lease, 'data') ?? null);
  if (typeof item !== 'string' || item === '' || !isValidId(item) || typeof clientData !== 'boolean') return 'malformed';
  if (typeof graceMs !== 'number' || !Number.isInteger(graceMs) || graceMs < 0 || graceMs > LIMITS.leaseGraceMs) return 'malformed';
  if (Buffer.byteLength(data) > LIMITS.leaseDataBytes || !canBeSet(data)) return 'malformed';
  return { source: 'function', item, data, graceMs, clientData };
}

/** Returns whether a `stream::set` would take the data: what the store returns can always be written back. */
function canBeSet(data: JsonText): boolean {
  const scan = scanJson(data);
  return scan.kind === 'ok' && !scan.inexactNumbers;
}
