// A worker on the latest official SDK, with its default telemetry. Arguments: engine URL, trace id, span id. It calls its own function
// within that trace. The function writes to a stream and calls a function that nobody has registered. At the end the program prints the ids
// of the span that the SDK has made for the function, as a line of JSON.
import { context, ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api';
import { registerWorker } from 'iii-sdk-0.22.1';

const [url = '', traceId = '', spanId = ''] = process.argv.slice(2);
const worker = registerWorker(url, { workerName: 'traced', enableMetricsReporting: false });
worker.registerFunction('app::order', async () => {
  const span = /** @type {any} */ (trace.getActiveSpan());
  const item = { stream_name: 'orders', group_id: 'secret-group', item_id: 'secret-item', data: { secret: 'secret-data' } };
  await worker.trigger({ function_id: 'stream::set', payload: item });
  await worker.trigger({ function_id: 'app::missing', payload: {} }).catch(() => {});
  return { spanId: span.spanContext().spanId, parentId: span.parentSpanId };
});
const parent = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
const answer = await context.with(parent, () => worker.trigger({ function_id: 'app::order', payload: { secret: 'secret-input' } }));
process.stdout.write(`\n${JSON.stringify(answer)}\n`);
await worker.shutdown();
process.exit(0);
