import { BUILT_WORKERS, type BuiltWorker, ORIGINAL_NAMES } from '../entry-names.js';

/** Workers of the original engine that load and do nothing. They have no second name, because this engine has no such workers. */
const IGNORED_WORKERS = [
  'iii-engine-functions',
  'iii-telemetry',
  'iii-queue',
  'iii-cron',
  'iii-http-functions',
  'iii-exec',
  'iii-bridge',
  'configuration',
  'iii-worker-ops',
  'iii-sandbox',
  'kv-server',
] as const;

export type WorkerName = BuiltWorker | (typeof IGNORED_WORKERS)[number];

/** Names that `name:` may have. `kv-server` has only an old class. */
export const NAMES: ReadonlyMap<string, WorkerName> = new Map<string, WorkerName>([
  ...BUILT_WORKERS.map((name) => [name, name] as const),
  ...BUILT_WORKERS.flatMap((name) => (name === 'rivulet-admin' ? [] : [[ORIGINAL_NAMES[name], name] as const])),
  ...IGNORED_WORKERS.filter((name) => name !== 'kv-server').map((name) => [name, name] as const),
  ['http', 'rivulet-http'],
  ['state', 'rivulet-state'],
  ['queue', 'iii-queue'],
  ['pubsub', 'rivulet-pubsub'],
  ['cron', 'iii-cron'],
]);

/** Names that `class:` may have. */
export const CLASSES: ReadonlyMap<string, WorkerName> = new Map<string, WorkerName>([
  ['modules::api::RestApiModule', 'rivulet-http'],
  ['modules::rest_api::RestApiModule', 'rivulet-http'],
  ['modules::stream::StreamModule', 'rivulet-stream'],
  ['modules::state::StateModule', 'rivulet-state'],
  ['modules::worker::WorkerModule', 'rivulet-worker-manager'],
  ['modules::observability::OtelModule', 'rivulet-observability'],
  ['modules::observability::LoggingModule', 'rivulet-observability'],
  ['modules::observability::ObservabilityModule', 'rivulet-observability'],
  ['modules::telemetry::TelemetryModule', 'iii-telemetry'],
  ['modules::queue::QueueModule', 'iii-queue'],
  ['modules::pubsub::PubSubModule', 'rivulet-pubsub'],
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

/** Adapter names from the documentation of the original, which are accepted too. */
export const SPOKEN_NAMES: Readonly<Record<string, string>> = { KvStore: 'kv', Redis: 'redis' };

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
