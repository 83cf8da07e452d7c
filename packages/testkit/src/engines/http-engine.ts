import type { HttpConfig } from '@rivulet/engine';
import { RawWorker } from '../peers/raw-worker.js';
import { startTestEngine, type TestEngine, type TestEngineOptions } from './engine.js';

export interface HttpEngine extends TestEngine {
  readonly worker: RawWorker;
  /** Serves a function of a raw worker under this path. Resolves with the id of the trigger. */
  readonly serve: (
    path: string,
    handler: (input: HttpInput, frame: Readonly<Record<string, unknown>>) => unknown,
    more?: Serving,
  ) => Promise<string>;
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>;
}

export interface Serving {
  readonly method?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly metadata?: unknown;
}

/** The request object that a function receives. */
export interface HttpInput {
  readonly query_params: Readonly<Record<string, string>>;
  readonly path_params: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly path: string;
  readonly method: string;
  readonly body: unknown;
  readonly trigger: unknown;
  readonly request_body: { readonly channel_id: string; readonly access_key: string; readonly direction: 'read' };
  readonly response: { readonly channel_id: string; readonly access_key: string; readonly direction: 'write' };
}

/** Starts an engine with an HTTP listener, and connects a raw worker to it. */
export async function startHttpEngine(http: Partial<HttpConfig> = {}, more: TestEngineOptions = {}): Promise<HttpEngine> {
  const engine = await startTestEngine({ ...more, http });
  const worker = await RawWorker.connect(engine.workerUrl);
  let served = 0;
  return {
    ...engine,
    worker,
    serve: async (path, handler, { method, config, metadata } = {}) => {
      const id = `test::http-${++served}`;
      await worker.serve(id, (data, frame) => handler(data as HttpInput, frame));
      const trigger = { api_path: path, ...(method === undefined ? {} : { http_method: method }), ...config };
      return worker.bind('http', id, trigger, metadata === undefined ? {} : { metadata });
    },
    fetch: (path, init) => fetch(engine.httpUrl + path, init),
  };
}
