import type { Position } from '@rivulet/protocol';

/**
 * Spans of the engine's own work. The rooms of the engine know this interface only; `tracing/` implements it with OpenTelemetry.
 *
 *     HTTP request ──▶ call of a function ──▶ write to a store ──▶ firing of a trigger ──▶ call of a function …
 *
 * Each arrow leads from a parent to its child. A caller's `traceparent` is the parent of the first span. The worker that runs a function
 * gets the `traceparent` of the call's span. No span belongs to a delivery to a subscriber.
 *
 * Invariants:
 *
 * - Without a registered SDK there is no `Tracing`, so the fabric and its callers make no object for it.
 * - No method throws. A failing SDK costs spans, and never a call.
 * - A span has names and counts only: no payload, no item, no token, no text of an error.
 *
 * Example: the span of a write, below the span of its call.
 *
 *     const span = call.span?.begin({ kind: 'write', operation: 'stream.set', stream: 'chat', changes: 1 });
 *     span?.end({ outcome: 'ok' });
 */
export interface Tracing {
  /** Begins a span. Without a parent it begins a trace of its own. */
  begin(subject: SpanSubject, parent?: Span | TraceHeaders): Span;
  /**
   * Resolves with the span of the write that made a commit; `undefined` when this engine has no span of it. A store may call it from
   * `onCommit`, because it waits one turn for the answer of the write.
   */
  writeOf(commit: CommitName): Promise<Span | undefined>;
  /** Sends the ended spans to the exporter. Resolves when that is done, after a bounded wait, or when it failed. */
  flush(): Promise<void>;
}

/** A span that has begun. Each method has no effect after `end`, except `begin` and `traceparent`. */
export interface Span {
  /** The header that makes others children of this span; `undefined` when the SDK has no propagator for it. */
  readonly traceparent: string | undefined;
  /** Begins a child. */
  begin(subject: SpanSubject): Span;
  /** Names the route that serves a request. Routes of guests have no part in it, since guests may choose any number of paths. */
  setRoute(path: string): void;
  /** Notes that a write made this commit. */
  committed(commit: CommitName): void;
  /** Ends the span. Only the first call counts. */
  end(end: SpanEnd): void;
}

/** The trace context of a caller, as its frame or request has it. */
export interface TraceHeaders {
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  readonly baggage?: string | undefined;
}

export interface CommitName {
  readonly stream: string;
  readonly group: string;
  readonly position: Position;
}

/** The work that a span covers. */
export type SpanSubject =
  | {
      readonly kind: 'call';
      readonly functionId: string;
      /** Whether the engine or a trusted worker serves the function. Other ids may be of any number, so no span is named after them. */
      readonly isTrusted: boolean;
      readonly namespace: string | undefined;
      readonly caller: 'worker' | 'page' | 'http' | 'trigger' | 'engine';
      /** The worker that calls, or the session of the page; `undefined` when the engine calls. */
      readonly workerId: string | undefined;
    }
  | { readonly kind: 'write'; readonly operation: WriteOperation; readonly stream: string | undefined; readonly changes: number }
  | { readonly kind: 'trigger'; readonly type: string; readonly id: string; readonly functionId: string }
  | { readonly kind: 'request'; readonly method: string; readonly path: string };

export type WriteOperation = `${'stream' | 'state'}.${'set' | 'update' | 'delete' | 'send' | 'batch'}`;

export type SpanEnd =
  /** `conflict`, `replayed` and `unchanged` are outcomes of writes, `skipped` one of a firing. */
  | { readonly outcome: 'ok' | 'conflict' | 'replayed' | 'unchanged' | 'skipped' | 'cancelled' }
  | { readonly outcome: 'error'; readonly code: string }
  /** The end of a request. `status` is `undefined` when the client left before an answer. */
  | { readonly outcome: 'response'; readonly status: number | undefined };
