import type { ServerResponse } from 'node:http';
import type { Cors } from './cors.js';
import type { ValueResponse } from './response-value.js';

/** Sends a complete response. */
export function sendValue(response: ServerResponse, { status, headers, body }: ValueResponse, cors: Cors): void {
  const bytes = Buffer.from(body);
  const bodiless = status === 204 || status === 304;
  if (bodiless && bytes.length === 0) headers.delete('content-type');
  cors.restrict(headers);
  response.statusCode = status;
  // oxlint-disable-next-line eslint/no-restricted-properties -- ResponseHeaders keeps only what Node accepts
  for (const [name, value] of headers) response.setHeader(name, value);
  // oxlint-disable-next-line eslint/no-restricted-properties -- constant name and a number
  if (!bodiless) response.setHeader('content-length', bytes.length);
  response.end(bodiless ? undefined : bytes);
}
