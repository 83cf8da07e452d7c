// This program is a worker with the default telemetry of its SDK, exported more often. Arguments: version, engine URL. It ends when stdin
// ends.
const [version, url] = process.argv.slice(2);
const sdk = await import(`iii-sdk-${version}`);
const options = { workerName: 'telemetry', otel: { metricsExportIntervalMs: 200 } };
const worker = (sdk.init ?? sdk.registerWorker)(url, options);
/** @param {string} id */
const call = (id) => (sdk.init === undefined ? worker.trigger({ function_id: id, payload: {} }) : worker.trigger(id, {}));
for (let n = 0; n < 3; n++) await call('engine::health::check');
process.stdout.write('called\n');
for await (const _ of process.stdin);
await worker.shutdown();
process.exit(0);
