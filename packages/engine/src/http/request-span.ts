import type { Span, Tracing } from '../core/fabric/tracing.js';
import type { HttpRequest } from './request/http-request.js';
import { readRequestTarget } from './request/request-target.js';
import { requestHeader } from './response/headers.js';

/** Begins the span of a request. The span ends with the response. A client may continue its own trace with `traceparent`. */
export function requestSpan(tracing: Tracing, { request, response }: HttpRequest): Span {
  const { method = 'GET', url = '/', headers } = request;
  const parent = {
    traceparent: requestHeader(headers, 'traceparent'),
    tracestate: requestHeader(headers, 'tracestate'),
    baggage: requestHeader(headers, 'baggage'),
  };
  const span = tracing.begin({ kind: 'request', method, path: readRequestTarget(url).path }, parent);
  response.once('close', () => span.end({ outcome: 'response', status: response.headersSent ? response.statusCode : undefined }));
  return span;
}
