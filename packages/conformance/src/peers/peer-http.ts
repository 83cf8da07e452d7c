import type { ChannelRef } from './peer-channel.js';
import type { Frame, PeerWorker } from './peer-worker.js';

/** The middleware function that the HTTP listener is configured to call before every trigger. */
const HTTP_MIDDLEWARE = 'conformance::http-middleware';

/** The input of a function that serves a request. */
export interface HttpInput {
  readonly query_params: Frame;
  readonly path_params: Frame;
  readonly headers: Frame;
  readonly path: string;
  readonly method: string;
  readonly body: unknown;
  readonly trigger: unknown;
  readonly request_body: ChannelRef;
  readonly response: ChannelRef;
}

export interface Serving {
  readonly method?: string;
  readonly config?: Frame;
  readonly metadata?: unknown;
}

/** A client of the HTTP listener under a path that no other case uses, and a worker that serves functions there. */
export class PeerHttp {
  readonly worker: PeerWorker;
  readonly #base: string;
  readonly #functions: string;
  readonly #patienceMs: number;
  #served = 0;

  constructor(worker: PeerWorker, base: string, functions: string, patienceMs: number) {
    this.worker = worker;
    this.#base = base;
    this.#functions = functions;
    this.#patienceMs = patienceMs;
  }

  /** Returns a path as triggers register it. The argument begins with a slash. */
  pattern(path: string): string {
    return new URL(this.#base).pathname + path;
  }

  /** Binds a path to a function of another worker, or to one that no worker serves. */
  bind(functionId: string, path: string, { method, config, metadata }: Serving = {}): Promise<string> {
    const trigger = { api_path: this.pattern(path), ...(method === undefined ? {} : { http_method: method }), ...config };
    return this.worker.bind('http', functionId, trigger, metadata === undefined ? {} : { metadata });
  }

  /** Serves a function under a path. Resolves with the id of the trigger. */
  async serve(path: string, handler: (input: HttpInput, frame: Frame) => unknown, serving: Serving = {}): Promise<string> {
    const id = `${this.#functions}-${++this.#served}`;
    await this.worker.serve(id, (data, frame) => handler(data as HttpInput, frame));
    return this.bind(id, path, serving);
  }

  answerMiddleware(handler: (data: unknown, frame: Frame) => unknown): Promise<void> {
    return this.worker.serve(HTTP_MIDDLEWARE, handler);
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.#base + path, { signal: AbortSignal.timeout(this.#patienceMs), ...init });
  }
}
