import type * as official from 'iii-sdk-0.11.6';

/** The members of the SDK that the worker below uses, with the types of the official SDK. */
export type Sdk = Pick<typeof official, 'registerWorker' | 'TriggerAction' | 'http' | 'Logger' | 'EngineFunctions'>;

/** Makes a worker that was written for iii-sdk 0.11. The program is the same for both SDKs. */
export function startCompatibleWorker({ registerWorker, TriggerAction, http, Logger }: Sdk, url: string) {
  const iii = registerWorker(url, {
    workerName: 'compatible',
    headers: { 'x-worker': 'compatible' },
    invocationTimeoutMs: 5_000,
    reconnectionConfig: { maxRetries: -1 },
    otel: { enabled: false },
    enableMetricsReporting: false,
  });
  const logger = new Logger(undefined, 'compatible');
  const presence = new Map<string, unknown>();
  iii.registerFunction('app::echo', async (data: unknown) => ({ data }), { description: 'echoes', metadata: { public: true } });
  iii.registerFunction('app::fail', async () => {
    throw new Error('boom');
  });
  iii.registerFunction('app::coded', async () => {
    throw Object.assign(new Error('not your order'), { code: 'NOT_OWNER' });
  });
  const passing = iii.registerFunction('app::passing', async () => 1);
  iii.registerFunction('app::remote', { url: 'https://example.test/f', method: 'POST' }, { description: 'remote' });
  iii.registerFunction(
    'app::http',
    http(async (request, response) => {
      logger.info('asked', { method: request.method });
      response.status(201);
      response.headers({ 'content-type': 'text/plain' });
      response.stream.end('streamed');
    }),
  );
  iii.registerService({ id: 'svc', description: 'a service' });
  iii.registerTrigger({ type: 'http', function_id: 'app::http', config: { api_path: '/x', http_method: 'GET' }, metadata: { m: 1 } });
  const hook = iii.registerTriggerType<{ path: string }>(
    { id: 'hook', description: 'a hook' },
    { registerTrigger: async () => {}, unregisterTrigger: async () => {} },
  );
  hook.registerTrigger('app::echo', { path: '/y' });
  iii.createStream<{ user: string }>('presence', {
    get: async ({ item_id }) => (presence.get(item_id) as { user: string } | undefined) ?? null,
    set: async ({ item_id, data }) => {
      presence.set(item_id, data);
      return { new_value: data as { user: string } };
    },
    delete: async () => ({}),
    list: async () => [],
    listGroups: async () => [],
    update: async () => null,
  });
  passing.unregister();
  return {
    iii,
    exercise: async () => {
      const late = iii.registerFunction('app::late', async () => 1);
      late.unregister();
      const echoed = await iii.trigger<object, unknown>({ function_id: 'x::echo', payload: { n: 1 } });
      const failed = await iii
        .trigger({ function_id: 'x::fail', payload: {} })
        .catch((error: { code: string; message: string; function_id: string }) => {
          return { code: error.code, message: error.message, function_id: error.function_id };
        });
      const nothing = await iii.trigger({ function_id: 'x::void', payload: 1, action: TriggerAction.Void() });
      return { echoed, failed, nothing };
    },
  };
}
