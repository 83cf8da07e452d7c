import type { Config } from '../../config/config.js';
import type { RunningEngine } from '../../engine.js';
import type { Logger } from '../../logging/logger.js';

export interface ReloadDeps {
  readonly engine: Pick<RunningEngine, 'replaceTokens'>;
  readonly readConfig: () => Config;
  readonly logger: Logger;
}

/** Returns whether a listener of the configuration checks tokens. */
export function checksTokens({ stream, workerManagers }: Pick<Config, 'stream' | 'workerManagers'>): boolean {
  return stream?.jwt !== undefined || workerManagers.some(({ rbac }) => rbac?.jwt !== undefined);
}

/**
 * Reads the keys and grants of tokens again at each SIGHUP. A configuration with a mistake changes nothing. Returns a function that ends
 * the watch. Without it, SIGHUP ends the process, as it does in an engine that checks no tokens.
 */
export function watchReloadSignal(deps: ReloadDeps): () => void {
  const reload = () => reloadTokens(deps);
  process.on('SIGHUP', reload);
  return () => {
    process.off('SIGHUP', reload);
  };
}

function reloadTokens({ engine, readConfig, logger }: ReloadDeps): void {
  let config: Config;
  try {
    config = readConfig();
  } catch (error) {
    logger.error('tokens_reload_failed', { reason: error instanceof Error ? error.message : String(error) });
    return;
  }
  if (engine.replaceTokens(config)) {
    logger.info('tokens_reloaded', { file: config.file });
    return;
  }
  const reason = 'the listeners, or those that check tokens, are not those of the start; restart the engine';
  logger.error('tokens_reload_failed', { reason });
}
