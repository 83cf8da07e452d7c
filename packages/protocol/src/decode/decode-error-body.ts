import type { ErrorBody } from '../errors.js';
import { field, isJsonObject, stringField } from '../json/json-fields.js';

/** Reads an error. `code` and `message` become strings for any input. */
export function decodeErrorBody(error: unknown): ErrorBody {
  if (!isJsonObject(error)) return { code: 'UNKNOWN', message: typeof error === 'string' ? error : JSON.stringify(error) };
  const code = field(error, 'code');
  const text = field(error, 'message');
  const stacktrace = stringField(error, 'stacktrace');
  const errorId = stringField(error, 'error_id');
  return {
    code: asText(code, 'UNKNOWN'),
    message: asText(text, ''),
    ...(stacktrace === undefined ? {} : { stacktrace }),
    ...(errorId === undefined ? {} : { error_id: errorId }),
  };
}

function asText(value: unknown, fallback: string): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? fallback : JSON.stringify(value);
}
