/**
 * Workers that this engine builds, by the names that a configuration file should have. Each but `rivulet-admin` has a second name with
 * `iii-`, for files of the original engine.
 */
export const BUILT_WORKERS = [
  'rivulet-worker-manager',
  'rivulet-stream',
  'rivulet-state',
  'rivulet-http',
  'rivulet-pubsub',
  'rivulet-observability',
  'rivulet-admin',
] as const;

export type BuiltWorker = (typeof BUILT_WORKERS)[number];

/** Names that the original engine has for workers of this engine. */
export const ORIGINAL_NAMES = {
  'rivulet-worker-manager': 'iii-worker-manager',
  'rivulet-stream': 'iii-stream',
  'rivulet-state': 'iii-state',
  'rivulet-http': 'iii-http',
  'rivulet-pubsub': 'iii-pubsub',
  'rivulet-observability': 'iii-observability',
} as const satisfies Partial<Record<BuiltWorker, string>>;

/** Names of the entries of a file: ours, or those of the original engine. */
export type NameStyle = 'rivulet' | 'iii';

/** Returns the name of a worker in messages about a configuration. It is the name that the file has. */
export function entryName({ nameStyle }: { readonly nameStyle?: NameStyle | undefined }, worker: BuiltWorker): string {
  return nameStyle === 'iii' && worker !== 'rivulet-admin' ? ORIGINAL_NAMES[worker] : worker;
}
