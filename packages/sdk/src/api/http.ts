import type { RemoteFunctionHandler } from './types.js';

export type InternalHttpRequest<TBody = unknown, TReader = unknown, TWriter = HttpResponseWriter> = {
  path_params: Record<string, string>;
  query_params: Record<string, string | string[]>;
  body: TBody;
  headers: Record<string, string | string[]>;
  method: string;
  /** The pattern of the route, as the trigger registered it. */
  path: string;
  request_body: TReader;
  response: TWriter;
};

/** The members of the writer of a channel that a response needs. */
export interface HttpResponseWriter<TStream = unknown> {
  readonly stream: TStream;
  sendMessage(text: string): void;
  close(): void;
}

/** A response that is sent in pieces. Status and headers can be set until the first byte of the body. */
export type HttpResponse<TStream> = {
  status: (statusCode: number) => void;
  headers: (headers: Record<string, string>) => void;
  stream: TStream;
  close: () => void;
};

export type HttpRequest<TBody = unknown, TReader = unknown> = Omit<InternalHttpRequest<TBody, TReader>, 'response'>;

export type ApiResponse<TStatus extends number = number, TBody = unknown> = {
  status_code: TStatus;
  headers?: Record<string, string>;
  body?: TBody;
};

/**
 * Makes a handler of a worker from an HTTP handler with a request and a response. If the HTTP handler returns a value, the value is the
 * response. Otherwise the handler writes the response.
 */
export function httpHandler<TReader, TStream>(
  // oxlint-disable-next-line typescript/no-explicit-any -- a handler states the body that it expects
  handler: (request: HttpRequest<any, TReader>, response: HttpResponse<TStream>) => Promise<undefined | void | ApiResponse>,
): RemoteFunctionHandler<InternalHttpRequest<unknown, TReader, HttpResponseWriter<TStream>>, void | ApiResponse | undefined> {
  return async ({ response, ...request }) => {
    const say = (message: object) => response.sendMessage(JSON.stringify(message));
    return handler(request, {
      status: (status_code) => say({ type: 'set_status', status_code }),
      headers: (headers) => say({ type: 'set_headers', headers }),
      stream: response.stream,
      close: () => response.close(),
    });
  };
}
