import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CorsConfig } from '../config/config.js';
import type { ResponseHeaders } from './headers.js';

const ALL_METHODS = 'GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS';

/** Cross-origin rules of a listener (spec HT §4.8). */
export class Cors {
  readonly #config: CorsConfig | undefined;

  constructor(config: CorsConfig | undefined) {
    this.#config = config;
  }

  /** Sets the headers that belong on every response, errors included. */
  apply(request: IncomingMessage, response: ServerResponse): void {
    const config = this.#config;
    // oxlint-disable-next-line eslint/no-restricted-properties -- constant name and value
    if (config === undefined) response.setHeader('access-control-expose-headers', '*');
    if (config === undefined || config.allowedOrigins === 'any') {
      // oxlint-disable-next-line eslint/no-restricted-properties -- constant name and value
      response.setHeader('access-control-allow-origin', '*');
      return;
    }
    // oxlint-disable-next-line eslint/no-restricted-properties -- constant name and value
    response.setHeader('vary', 'origin');
    const { origin } = request.headers;
    // oxlint-disable-next-line eslint/no-restricted-properties -- the parser of HTTP accepted this value as a header
    if (origin !== undefined && config.allowedOrigins.includes(origin)) response.setHeader('access-control-allow-origin', origin);
  }

  /** Where the configuration has rules, a function can't soften them; else its own headers count. */
  restrict(headers: ResponseHeaders): void {
    if (this.#config === undefined) return;
    headers.delete('access-control-allow-origin');
    headers.delete('access-control-allow-credentials');
    if (this.#config.allowedOrigins === 'any') return;
    const vary = headers.get('vary');
    if (vary !== undefined && !/\borigin\b|\*/i.test(vary)) headers.set('vary', `${vary}, origin`);
  }

  /** Whether the request was a preflight, and is answered. */
  preflight(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return false;
    const methods = this.#config?.allowedMethods ?? 'any';
    // oxlint-disable-next-line eslint/no-restricted-properties -- constant names; the methods come from the configuration
    response.writeHead(200, {
      'access-control-allow-methods': methods === 'any' ? ALL_METHODS : methods.join(', '),
      'access-control-allow-headers': '*',
      'content-length': 0,
    });
    response.end();
    return true;
  }
}
