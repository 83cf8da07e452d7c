import { propagation, type Tracer, type TracerProvider, trace } from '@opentelemetry/api';
import type { Sdk } from './otel-tracing.js';

const NAME = 'rivulet';

/** The parts of the library's proxy and of an SDK's provider that their common interface does not have. */
interface KnownProvider extends TracerProvider {
  /** Returns the tracer of the SDK behind a proxy; `undefined` when none is registered. */
  getDelegateTracer?(name: string): Tracer | undefined;
  getDelegate?(): KnownProvider;
  forceFlush?(): Promise<void>;
}

/**
 * Returns the SDK that the operator has registered in this process; `undefined` when there is none. An SDK must be registered before the
 * engine starts. Copies of the library within a process find each other by a global symbol, so the SDK may use another copy.
 */
export function registeredSdk(): Sdk | undefined {
  const provider: KnownProvider = trace.getTracerProvider();
  const tracer = provider.getDelegateTracer === undefined ? provider.getTracer(NAME) : provider.getDelegateTracer(NAME);
  if (tracer === undefined) return undefined;
  return { tracer, propagation, flush: async () => (provider.getDelegate?.() ?? provider).forceFlush?.() };
}
