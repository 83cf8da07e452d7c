import { request } from 'node:http';

export interface AdminReply {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

interface AdminAsk {
  readonly method?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A value that is sent as JSON, with its content type. */
  readonly json?: unknown;
  /** A body that is sent as it is. */
  readonly raw?: string;
}

/** Sends one request to an admin listener, on a connection of its own. It may set `Host`, which `fetch` may not. */
export function ask(url: string, path: string, { method = 'GET', token, headers = {}, json, raw }: AdminAsk = {}): Promise<AdminReply> {
  const body = json === undefined ? raw : JSON.stringify(json);
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, {
      method,
      agent: false,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
        ...headers,
      },
    });
    sent.once('error', reject);
    sent.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }));
    });
    sent.end(body);
  });
}

/** Sends a request and resolves with the JSON of its answer. */
export async function askJson(url: string, path: string, options?: AdminAsk): Promise<Record<string, unknown>> {
  const { text } = await ask(url, path, options);
  return JSON.parse(text) as Record<string, unknown>;
}

/** Resolves with the answer of `/ready` when it has this status. Each attempt waits for the answer to the one before. */
export async function readiness(
  url: string,
  status: 200 | 503,
): Promise<{ readonly reasons: readonly { readonly code: string; readonly store?: string }[] }> {
  for (;;) {
    const reply = await ask(url, '/ready');
    if (reply.status === status) return JSON.parse(reply.text) as Awaited<ReturnType<typeof readiness>>;
  }
}
