import type { LmdbEnvironment } from './env/environment.js';
import type { LmdbStoreOptions } from './options.js';
import type { DiskBudget } from './writing/disk-space.js';

/** Between two sweeps of tombstones and idempotency keys. */
const SWEEP_MS = 60_000;
/** Between two checks for items whose time to live has ended. */
const EXPIRY_MS = 250;
/** Between two checkpoints of a store whose writes are in its log. */
const CHECKPOINT_MS = 10_000;
/** Between two measurements of the free space of the disk. */
const DISK_MS = 1_000;

export interface TimersContext {
  readonly environment: LmdbEnvironment;
  readonly disk: DiskBudget;
  readonly sweep: () => Promise<void>;
  readonly expire: () => Promise<void>;
  /** Makes the store read-only. */
  readonly onFailure: (error: unknown) => void;
  /** Writes a log line, at most one in a minute for each event. */
  readonly warn: (event: string, fields: Record<string, unknown>) => void;
}

/** Starts the timers of an open store. The caller clears them. */
export function startTimers(context: TimersContext, { durability, saveIntervalMs }: LmdbStoreOptions): readonly NodeJS.Timeout[] {
  const { environment, disk, sweep, expire, onFailure } = context;
  const every = (milliseconds: number, run: () => Promise<void>) =>
    setInterval(() => {
      run().catch(onFailure);
    }, milliseconds).unref();
  const saveCheckpoint = async () => {
    const error = await environment.checkpoint();
    if (error !== undefined) context.warn('store_checkpoint_failed', { error: String(error), consequence: consequenceFor(environment) });
  };
  return [
    every(SWEEP_MS, sweep),
    every(EXPIRY_MS, expire),
    every(DISK_MS, async () => {
      environment.tick();
      disk.tick();
    }),
    ...(environment.isLogged ? [every(CHECKPOINT_MS, saveCheckpoint)] : []),
    ...(durability === 'relaxed' ? [every(saveIntervalMs, saveCheckpoint)] : []),
  ];
}

function consequenceFor({ isLogged }: LmdbEnvironment): string {
  return isLogged ? 'the log keeps the writes since the checkpoint before' : 'a power cut loses the writes since the checkpoint before';
}
