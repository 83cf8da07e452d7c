/** Workers that a configuration file may list, by their present names. */
export const WORKER_NAMES = [
  'iii-worker-manager',
  'iii-stream',
  'iii-state',
  'iii-http',
  'rivulet-admin',
  'iii-engine-functions',
  'iii-observability',
  'iii-telemetry',
  'iii-queue',
  'iii-pubsub',
  'iii-cron',
  'iii-http-functions',
  'iii-exec',
  'iii-bridge',
  'configuration',
  'iii-worker-ops',
  'iii-sandbox',
  'kv-server',
] as const;

export type WorkerName = (typeof WORKER_NAMES)[number];

/** Names that `name:` may have. `kv-server` has only an old class. */
export const NAMES: ReadonlyMap<string, WorkerName> = new Map<string, WorkerName>([
  ...WORKER_NAMES.filter((name) => name !== 'kv-server').map((name) => [name, name] as const),
  ['http', 'iii-http'],
  ['state', 'iii-state'],
  ['queue', 'iii-queue'],
  ['pubsub', 'iii-pubsub'],
  ['cron', 'iii-cron'],
]);

/** Names that `class:` may have. */
export const CLASSES: ReadonlyMap<string, WorkerName> = new Map<string, WorkerName>([
  ['modules::api::RestApiModule', 'iii-http'],
  ['modules::rest_api::RestApiModule', 'iii-http'],
  ['modules::stream::StreamModule', 'iii-stream'],
  ['modules::state::StateModule', 'iii-state'],
  ['modules::worker::WorkerModule', 'iii-worker-manager'],
  ['modules::observability::OtelModule', 'iii-observability'],
  ['modules::observability::LoggingModule', 'iii-observability'],
  ['modules::observability::ObservabilityModule', 'iii-observability'],
  ['modules::telemetry::TelemetryModule', 'iii-telemetry'],
  ['modules::queue::QueueModule', 'iii-queue'],
  ['modules::pubsub::PubSubModule', 'iii-pubsub'],
  ['modules::cron::CronModule', 'iii-cron'],
  ['modules::http_functions::HttpFunctionsModule', 'iii-http-functions'],
  ['modules::shell::ExecModule', 'iii-exec'],
  ['modules::bridge_client::BridgeClientModule', 'iii-bridge'],
  ['modules::kv_server::KvServer', 'kv-server'],
]);

export type AdapterOwner = 'stream' | 'state' | 'queue' | 'pubsub' | 'cron';

export interface AdapterNames {
  /** Present names. The first is the default. */
  readonly names: readonly [string, ...string[]];
  readonly classes: Readonly<Record<string, string>>;
}

export const ADAPTERS: Readonly<Record<AdapterOwner, AdapterNames>> = {
  stream: {
    names: ['kv', 'redis', 'bridge'],
    classes: {
      'modules::stream::adapters::KvStore': 'kv',
      'modules::stream::adapters::RedisAdapter': 'redis',
      'modules::stream::adapters::Bridge': 'bridge',
    },
  },
  state: {
    names: ['kv', 'redis', 'bridge'],
    classes: {
      'modules::state::adapters::KvStore': 'kv',
      'modules::state::adapters::RedisAdapter': 'redis',
      'modules::state::adapters::Bridge': 'bridge',
    },
  },
  queue: {
    names: ['builtin', 'redis', 'rabbitmq', 'bridge'],
    classes: {
      'modules::queue::BuiltinQueueAdapter': 'builtin',
      'modules::queue::RedisAdapter': 'redis',
      'modules::queue::RabbitMQAdapter': 'rabbitmq',
      'modules::queue::adapters::Bridge': 'bridge',
    },
  },
  pubsub: {
    names: ['local', 'redis'],
    classes: { 'modules::pubsub::LocalAdapter': 'local', 'modules::pubsub::RedisAdapter': 'redis' },
  },
  cron: {
    names: ['kv', 'redis'],
    classes: { 'modules::cron::KvCronAdapter': 'kv', 'modules::cron::RedisCronAdapter': 'redis' },
  },
};
