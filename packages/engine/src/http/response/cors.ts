import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CorsConfig } from '../../config/config.js';
import type { ResponseHeaders } from './headers.js';

const ALL_METHODS = 'GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS';

const HEADER_NAMES = /^[!#$%&'*+\-.^_`|~\w]+(?: *, *[!#$%&'*+\-.^_`|~\w]+)*$/;

/** The cross-origin rules of a listener (spec HT §4.8). */
export class Cors {
  readonly #config: CorsConfig | undefined;

  constructor(config: CorsConfig | undefined) {
    this.#config = config;
  }

  /** Sets the headers that belong on every response, including errors. */
  apply(request: IncomingMessage, response: ServerResponse): void {
    const config = this.#config;
    // oxlint-disable-next-line eslint/no-restricted-properties -- constant name and value
    response.setHeader('x-content-type-options', 'nosniff');
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
    if (origin === undefined || !config.allowedOrigins.includes(origin)) return;
    // oxlint-disable-next-line eslint/no-restricted-properties -- the parser of HTTP accepted this value as a header
    response.setHeader('access-control-allow-origin', origin);
    // oxlint-disable-next-line eslint/no-restricted-properties -- constant name and value
    if (config.credentials) response.setHeader('access-control-allow-credentials', 'true');
  }

  /** Removes the cross-origin headers of a function if the configuration has rules. Otherwise the function's own headers count. */
  restrict(headers: ResponseHeaders): void {
    if (this.#config === undefined) return;
    headers.delete('access-control-allow-origin');
    headers.delete('access-control-allow-credentials');
    if (this.#config.allowedOrigins === 'any') return;
    const vary = headers.get('vary');
    if (vary !== undefined && !/\borigin\b|\*/i.test(vary)) headers.set('vary', `${vary}, origin`);
  }

  /** Answers a preflight request. Returns `false` if the request is none. */
  preflight(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return false;
    const config = this.#config;
    const methods = config?.allowedMethods ?? 'any';
    const headers: Record<string, string> = {
      'access-control-allow-methods': methods === 'any' ? ALL_METHODS : methods.join(', '),
      'access-control-allow-headers': config === undefined ? '*' : requestedHeaders(request),
      'content-length': '0',
    };
    if (config !== undefined) {
      headers['access-control-max-age'] = String(config.maxAgeS);
      headers.vary = 'origin, access-control-request-headers';
    }
    // oxlint-disable-next-line eslint/no-restricted-properties -- constant names; values are constants, of the configuration, or checked
    response.writeHead(200, headers);
    response.end();
    return true;
  }
}

/** Returns the headers that the page wants to send. A `*` would not cover `authorization`, and would cover nothing with credentials. */
function requestedHeaders({ headers }: IncomingMessage): string {
  const wanted = headers['access-control-request-headers'];
  return wanted !== undefined && HEADER_NAMES.test(wanted) ? wanted : '*';
}
