import { parseJson, percentEncode } from '@rivulet/protocol';
import { type Decoder, decode, object, optional, text } from './decoder.js';

/** The reason why a request has no value. */
export type ApiFailure =
  /** The engine did not answer: it is stopped, or the network is down. */
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'refused'; readonly status: number; readonly code: string; readonly message: string }
  /** The answer differs from the documents. */
  | { readonly kind: 'unexpected'; readonly message: string };

export type ApiResult<T> = { readonly kind: 'ok'; readonly value: T } | ApiFailure;

/** Ends the wait for a result. `done` is not called afterwards. A write may still take effect. */
export type Cancel = () => void;

export interface ApiRequest<T> {
  /** @default 'GET' */
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** The parts of the path below `api/`. They need no encoding. */
  readonly path: readonly string[];
  /** Parameters with the value `undefined` are left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** The JSON text of a write. @default none */
  readonly body?: string;
  readonly decoder: Decoder<T>;
}

/** Milliseconds after which a read counts as unanswered. */
const READ_MS = 30_000;

const decodeError = object({ error: object({ code: text, message: optional(text) }) });

/** Requests to the admin API. All addresses are relative to the page, so it works below any path of a proxy. */
export class AdminApi {
  readonly #base: string;
  readonly #token: () => string | undefined;
  readonly #refused: () => void;

  /** `refused` is called after each answer that asks for a token. */
  constructor(base: string, token: () => string | undefined, refused: () => void) {
    this.#base = base;
    this.#token = token;
    this.#refused = refused;
  }

  /** Sends a request, and calls `done` once with its result, unless the request is cancelled first. */
  request<T>(request: ApiRequest<T>, done: (result: ApiResult<T>) => void): Cancel {
    return this.requestText(request, (answer) => done(answer.kind === 'ok' ? read(request.decoder, answer.value) : answer));
  }

  /** Sends a request, and calls `done` with the text of the answer. A number in it may have more digits than JavaScript keeps. */
  requestText(request: Omit<ApiRequest<unknown>, 'decoder'>, done: (result: ApiResult<string>) => void): Cancel {
    const controller = new AbortController();
    const { signal } = controller;
    this.#send(request, signal).then(
      (result) => {
        if (signal.aborted) return;
        if (result.kind === 'refused' && result.status === 401) this.#refused();
        done(result);
      },
      () => {
        if (!signal.aborted) done({ kind: 'unreachable' });
      },
    );
    return () => controller.abort();
  }

  async #send(request: Omit<ApiRequest<unknown>, 'decoder'>, signal: AbortSignal): Promise<ApiResult<string>> {
    const { method = 'GET', body } = request;
    const token = this.#token();
    const response = await fetch(`${this.#base}api/${pathText(request)}`, {
      method,
      // An aborted write has taken effect or not, and nobody would know. So only reads are aborted.
      ...(method === 'GET' ? { signal: AbortSignal.any([signal, AbortSignal.timeout(READ_MS)]) } : {}),
      cache: 'no-store',
      credentials: 'omit',
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
    });
    const answer = await response.text();
    if (response.ok) return { kind: 'ok', value: answer };
    const error = read(decodeError, answer);
    if (error.kind !== 'ok')
      return { kind: 'refused', status: response.status, code: `HTTP ${response.status}`, message: answer.slice(0, 500) };
    const { code, message = '' } = error.value.error;
    return { kind: 'refused', status: response.status, code, message };
  }
}

function pathText({ path, query = {} }: Pick<ApiRequest<unknown>, 'path' | 'query'>): string {
  const parameters = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${percentEncode(String(value))}`],
  );
  return path.map(percentEncode).join('/') + (parameters.length === 0 ? '' : `?${parameters.join('&')}`);
}

function read<T>(decoder: Decoder<T>, answer: string): ApiResult<T> {
  const decoded = decode(decoder, parseJson(answer));
  return decoded.kind === 'ok' ? decoded : { kind: 'unexpected', message: decoded.message };
}
