import {
  type Context,
  type Span as OtelSpan,
  type PropagationAPI,
  ROOT_CONTEXT,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { LIMITS } from '@rivulet/protocol';
import type { CommitName, Span, SpanEnd, SpanSubject, TraceHeaders, Tracing } from '../core/fabric/tracing.js';
import type { Logger } from '../logging/logger.js';
import { RepeatedLine } from '../logging/repeated-line.js';
import { ATTRIBUTES, methodName, shortened, startOf } from './span-attributes.js';
import { WritesOfCommits } from './writes-of-commits.js';

/** The registered SDK. */
export interface Sdk {
  readonly tracer: Tracer;
  readonly propagation: Pick<PropagationAPI, 'extract' | 'inject'>;
  /** Sends the ended spans to the exporter. */
  readonly flush: () => Promise<void>;
}

/**
 * Spans by an SDK of OpenTelemetry. The engine passes contexts from span to span by itself and never reads the active context, so it needs
 * no context manager.
 *
 * The code of an SDK is the operator's. Each call of it runs guarded: when it throws, the engine logs `tracing_failed` and goes on without
 * the span. Its children then belong to the next span above.
 */
export class OtelTracing implements Tracing {
  readonly #sdk: Sdk;
  readonly #logger: Logger;
  readonly #failures = new RepeatedLine();
  readonly #writes = new WritesOfCommits();

  constructor(sdk: Sdk, logger: Logger) {
    this.#sdk = sdk;
    this.#logger = logger;
  }

  begin(subject: SpanSubject, parent?: Span | TraceHeaders): Span {
    return this.beginIn(parent instanceof ContextSpan ? parent.context : this.#extracted(parent), subject);
  }

  writeOf(commit: CommitName): Promise<Span | undefined> {
    return this.#writes.find(commit);
  }

  async flush(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#failed(new Error(`the exporter did not take the last spans within ${LIMITS.traceFlushMs} ms`));
        resolve();
      }, LIMITS.traceFlushMs);
    });
    const flushed = Promise.resolve()
      .then(() => this.#sdk.flush())
      .catch((error: unknown) => this.#failed(error));
    await Promise.race([flushed, timeout]);
    clearTimeout(timer);
  }

  // Methods for the spans of this object.

  beginIn(context: Context, subject: SpanSubject): Span {
    const start = startOf(subject);
    const span = this.guard(() => this.#sdk.tracer.startSpan(start.name, start, context));
    return new ContextSpan(this, subject, span, span === undefined ? context : trace.setSpan(context, span));
  }

  traceparentOf(context: Context): string | undefined {
    return this.guard(() => {
      const carrier: { traceparent?: unknown } = {};
      this.#sdk.propagation.inject(context, carrier);
      return typeof carrier.traceparent === 'string' ? carrier.traceparent : undefined;
    });
  }

  committed(commit: CommitName, span: Span): void {
    this.#writes.note(commit, span);
  }

  /** Runs code of the SDK. Returns `undefined` when it throws. */
  guard<T>(step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  #extracted(headers: Span | TraceHeaders | undefined): Context {
    if (headers === undefined || 'begin' in headers) return ROOT_CONTEXT;
    if (headers.traceparent === undefined && headers.baggage === undefined) return ROOT_CONTEXT;
    const { traceparent, tracestate, baggage } = headers;
    const carrier: Record<string, string> = {};
    if (traceparent !== undefined) carrier.traceparent = traceparent;
    if (tracestate !== undefined) carrier.tracestate = tracestate;
    if (baggage !== undefined) carrier.baggage = baggage;
    return this.guard(() => this.#sdk.propagation.extract(ROOT_CONTEXT, carrier)) ?? ROOT_CONTEXT;
  }

  #failed(error: unknown): void {
    this.#failures.add((times) => this.#logger.warn('tracing_failed', { error, times }));
  }
}

/** A span, or the place of one that the SDK failed to begin. */
class ContextSpan implements Span {
  readonly context: Context;
  readonly #tracing: OtelTracing;
  readonly #subject: SpanSubject;
  readonly #span: OtelSpan | undefined;
  #ended = false;

  constructor(tracing: OtelTracing, subject: SpanSubject, span: OtelSpan | undefined, context: Context) {
    this.#tracing = tracing;
    this.#subject = subject;
    this.#span = span;
    this.context = context;
  }

  get traceparent(): string | undefined {
    return this.#span === undefined ? undefined : this.#tracing.traceparentOf(this.context);
  }

  begin(subject: SpanSubject): Span {
    return this.#tracing.beginIn(this.context, subject);
  }

  setRoute(path: string): void {
    const { kind } = this.#subject;
    if (this.#ended || kind !== 'request') return;
    const { method } = this.#subject;
    const route = shortened(path.startsWith('/') ? path : `/${path}`);
    this.#tracing.guard(() => this.#span?.updateName(`${methodName(method)} ${route}`).setAttribute(ATTRIBUTES.route, route));
  }

  committed(commit: CommitName): void {
    this.#tracing.committed(commit, this);
  }

  end(end: SpanEnd): void {
    const span = this.#span;
    if (this.#ended || span === undefined) return;
    this.#ended = true;
    this.#tracing.guard(() => {
      describe(span, end);
    });
    // A span that could not be described still ends. Otherwise its trace would have a hole.
    this.#tracing.guard(() => span.end());
  }
}

function describe(span: OtelSpan, end: SpanEnd): void {
  if (end.outcome === 'response') {
    const { status } = end;
    if (status !== undefined) span.setAttribute(ATTRIBUTES.status, status);
    if (status !== undefined && status < 500) return;
    span.setAttribute(ATTRIBUTES.errorType, status === undefined ? 'aborted' : String(status));
    span.setStatus({ code: SpanStatusCode.ERROR });
    return;
  }
  span.setAttribute(ATTRIBUTES.outcome, end.outcome);
  if (end.outcome !== 'error') return;
  const code = shortened(end.code);
  span.setAttribute(ATTRIBUTES.errorType, code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: code });
}
