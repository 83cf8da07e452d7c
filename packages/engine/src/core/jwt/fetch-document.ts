import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

export interface FetchBounds {
  readonly mostBytes: number;
  /** Time until the whole document must be there. */
  readonly timeoutMs: number;
  /** Ends the fetch, because the engine stops. */
  readonly signal: AbortSignal;
}

export type FetchResult = { readonly kind: 'document'; readonly text: string } | { readonly kind: 'failed'; readonly reason: string };

/**
 * Fetches a document once. It follows no redirect, because the address of the keys decides whom the engine trusts. It never throws and
 * never rejects.
 */
export function fetchDocument(url: string, { mostBytes, timeoutMs, signal }: FetchBounds): Promise<FetchResult> {
  return new Promise((resolve) => {
    const request = (url.startsWith('https:') ? requestHttps : requestHttp)(url, {
      agent: false,
      signal,
      headers: { accept: 'application/json', 'accept-encoding': 'identity', connection: 'close' },
    });
    const end = (result: FetchResult) => {
      clearTimeout(timer);
      resolve(result);
      request.destroy();
    };
    const fail = (reason: string) => end({ kind: 'failed', reason });
    const timer = setTimeout(() => fail(`no whole answer within ${timeoutMs} ms`), timeoutMs);
    request.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? 'the connection failed'));
    request.on('response', (response) => {
      if (response.statusCode !== 200) {
        fail(`status ${response.statusCode}`);
        return;
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > mostBytes) fail(`more than ${mostBytes} bytes`);
        else chunks.push(chunk);
      });
      response.on('error', () => fail('the answer ended too early'));
      response.on('close', () => fail('the answer ended too early'));
      response.on('end', () => {
        if (response.complete) end({ kind: 'document', text: Buffer.concat(chunks).toString() });
        else fail('the answer ended too early');
      });
    });
    request.end();
  });
}
