// Loaded with `node --import` before an engine. It registers an SDK whose exporter keeps the spans in memory. When the engine flushes
// them, the exporter appends them to the file in RIVULET_TEST_SPANS, as lines of JSON. RIVULET_TEST_FAULT breaks a method of the SDK.
import { appendFileSync } from 'node:fs';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';

const { RIVULET_TEST_SPANS: file = '', RIVULET_TEST_FAULT: fault } = process.env;

class Recorder extends InMemorySpanExporter {
  async forceFlush() {
    const lines = this.getFinishedSpans().map((span) => {
      const { name, kind, attributes, status, resource, parentSpanContext: parent } = span;
      const { traceId, spanId } = span.spanContext();
      return `${JSON.stringify({ name, kind, traceId, spanId, parentId: parent?.spanId, attributes, status, resource: resource.attributes })}\n`;
    });
    this.reset();
    appendFileSync(file, lines.join(''));
  }
}

/** A processor that throws in one method. */
const faulty = {
  onStart: () => failIn('onStart'),
  onEnd: () => failIn('onEnd'),
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

/** @param {string} method */
function failIn(method) {
  if (fault === method) throw new Error(`the SDK fails in ${method}`);
}

const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(new Recorder()), faulty] });
provider.register(fault === 'no propagator' ? { propagator: null } : {});
