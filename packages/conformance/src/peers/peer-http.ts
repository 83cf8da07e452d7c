import type { ChannelRef } from './peer-channel.js';
import type { Frame, PeerWorker } from './peer-worker.js';

/** What the HTTP listener is configured to ask before every trigger. */
export const HTTP_MIDDLEWARE = 'conformance::http-middleware';

/** The request as a function gets it. */
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

/** The HTTP listener under a path that nobody else has, and a worker that serves functions there. */
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

  /** The registered form of a path that starts with a slash. */
  pattern(path: string): string {
    return new URL(this.#base).pathname + path;
  }

  /** Binds what an unserved function, or another worker, is to answer. */
  bind(functionId: string, path: string, { method, config, metadata }: Serving = {}): Promise<string> {
    const trigger = { api_path: this.pattern(path), ...(method === undefined ? {} : { http_method: method }), ...config };
    return this.worker.bind('http', functionId, trigger, metadata === undefined ? {} : { metadata });
  }

  /** Serves a function under a path; answers the id of the trigger. */
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
