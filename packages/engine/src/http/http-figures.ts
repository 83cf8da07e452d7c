import type { ServerResponse } from 'node:http';
import { BucketCounts } from '../logging/bucket-counts.js';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The outcome of an HTTP request: the class of its status, or `aborted` when the client left before an answer. */
export type HttpResult = '1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'aborted';

/** Counts of the HTTP requests that have ended. They only grow. */
export class HttpFigures {
  readonly results: Record<HttpResult, number> = { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, aborted: 0 };
  /** Seconds from the head of a request to the end of its response. */
  readonly seconds = new BucketCounts(SECONDS);

  add({ headersSent, statusCode }: ServerResponse, milliseconds: number): void {
    this.seconds.observe(milliseconds / 1_000);
    if (!headersSent) this.results.aborted++;
    else if (statusCode < 200) this.results['1xx']++;
    else if (statusCode < 300) this.results['2xx']++;
    else if (statusCode < 400) this.results['3xx']++;
    else if (statusCode < 500) this.results['4xx']++;
    else this.results['5xx']++;
  }
}
