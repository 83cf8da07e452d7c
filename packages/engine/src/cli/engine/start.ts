import type { Config } from '../../config/config.js';
import { type BuiltWorker, entryName } from '../../config/entry-names.js';
import { closeStoreDirectories, inspectStoreDirectories } from '../../config/store-directories.js';
import { type RunningEngine, startEngine } from '../../engine.js';
import type { Logger } from '../../logging/logger.js';
import { createLogger } from '../../logging/pino-logger.js';
import type { Command, CommandContext } from '../command/command.js';
import { CONFIG_OPTIONS, withConfig } from '../command/config-option.js';
import { EXIT, type ExitCode } from '../command/exit-codes.js';
import { LOG_OPTIONS, loggingOf } from './log-options.js';
import { reportRuntime } from './node-support.js';
import { checksTokens, watchReloadSignal } from './reload-signal.js';
import { StopSignals } from './stop-signal.js';

/** Runs the engine until it gets a signal. */
export const startCommand: Command = {
  name: 'start',
  // A supervisor that does not read the ready line must not delay a stop.
  leavesOutput: true,
  options: { ...CONFIG_OPTIONS, ...LOG_OPTIONS },
  run: (input, context) =>
    withConfig(input, context, (config, readConfig) => {
      const logging = loggingOf(input, context, config.logging);
      if (typeof logging !== 'string') return runEngine({ ...config, logging }, context, readConfig);
      context.err(`error: ${logging}\n`);
      return EXIT.usage;
    }),
};

async function runEngine(config: Config, context: CommandContext, readConfig: () => Config): Promise<ExitCode> {
  const logger = createLogger(config.logging);
  const giveUp = (event: string, fields: Readonly<Record<string, unknown>>) => {
    logger.error(event, fields);
    process.exit(EXIT.failed);
  };
  // An error that reaches these two listeners left the engine in an unknown state. Acknowledged writes are on disk already.
  process.once('uncaughtException', (error) => giveUp('uncaught_exception', { error }));
  process.once('unhandledRejection', (reason) => giveUp('unhandled_rejection', { error: reason }));
  survivePipes(logger);
  warnOperator(config, logger);
  const signals = new StopSignals((reason) => giveUp('stop_abandoned', { reason }));
  const stopped = new AbortController();
  signals.first.then(
    () => stopped.abort(),
    () => {},
  );
  // Another engine serves the data. Clients of this one reconnect, and find it.
  const onStoreLost = () => giveUp('store_lost', { reason: 'another engine has taken over the data directory' });
  let endReload = () => {};
  try {
    let engine: RunningEngine;
    try {
      engine = await startEngine(config, { logger, onStoreLost, signal: stopped.signal });
    } catch (error) {
      if (error === stopped.signal.reason) return stoppedEarly(logger);
      const code = error instanceof Error && 'code' in error ? { code: error.code } : {};
      logger.error('start_failed', { ...code, reason: startFailure(error, config) });
      return EXIT.failed;
    }
    if (checksTokens(config)) endReload = watchReloadSignal({ engine, readConfig, logger });
    const page = inspectorUrl(engine);
    if (page !== undefined) logger.info('inspector_open', { url: page });
    context.out(readyLine(engine));
    return await runUntilStopped(engine, signals, logger);
  } finally {
    endReload();
    signals.close();
  }
}

/** Keeps the process alive when nobody reads its output. Nothing waits for a reader. */
function survivePipes(logger: Logger): void {
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  // Node would print its warnings to stderr, and wait there for a reader.
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => logger.warn('node_warning', { name, message }));
}

async function runUntilStopped(engine: RunningEngine, signals: StopSignals, logger: Logger): Promise<ExitCode> {
  logger.info('stopping', { signal: await signals.first });
  await engine.stop();
  logger.info('stopped');
  return EXIT.ok;
}

/** A signal has ended the wait for the data directory of another engine. */
function stoppedEarly(logger: Logger): ExitCode {
  logger.info('stopped', { reason: 'a signal came while the engine waited for its data directory' });
  return EXIT.ok;
}

function warnOperator(config: Config, logger: Logger): void {
  const warnings = [...config.warnings, ...inspectStoreDirectories(config), ...closeStoreDirectories(config)];
  if (config.file === undefined) {
    logger.info('config_defaults', {
      reason: 'no rivulet.yaml, iii-config.yaml or config.yaml in the working directory',
      host: '127.0.0.1 only',
    });
  } else logger.info('config_loaded', { file: config.file });
  for (const note of config.notes) logger.info(note.code, { message: note.message });
  reportRuntime(logger, process.versions, new Date());
  for (const warning of warnings) logger.warn(warning.code, { ...warning.fields, message: warning.message });
}

/** Returns the line for which scripts wait: one word for each listener, with its real port. */
function readyLine(engine: RunningEngine): string {
  const words = engine.listeners.map(
    ({ name, host, port }) => `${name}=${name === 'http' || name === 'admin' ? 'http' : 'ws'}://${inUrl(host)}:${port}`,
  );
  return `ready ${words.join(' ')}\n`;
}

/** Returns the address of the inspector for a browser on this machine; `undefined` without an admin listener. */
function inspectorUrl({ listeners }: RunningEngine): string | undefined {
  const admin = listeners.find(({ name }) => name === 'admin');
  if (admin === undefined) return undefined;
  const { host, port } = admin;
  return `http://${host === '0.0.0.0' || host === '::' ? 'localhost' : inUrl(host)}:${port}/`;
}

function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

const ENTRY_OF_LISTENER: Readonly<Record<string, BuiltWorker>> = {
  worker: 'rivulet-worker-manager',
  stream: 'rivulet-stream',
  http: 'rivulet-http',
  admin: 'rivulet-admin',
};

function startFailure(error: unknown, config: Config): string {
  if (!(error instanceof Error)) return String(error);
  if (!('listener' in error && 'port' in error && 'code' in error)) return error.message;
  const worker = ENTRY_OF_LISTENER[String(error.listener)];
  const entry = worker === undefined ? String(error.listener) : entryName(config, worker);
  if (error.code !== 'EADDRINUSE') return `${entry}: ${error.message}`;
  const place = config.file === undefined ? ' in a file rivulet.yaml' : '';
  return `${entry}: port ${String(error.port)} is in use; stop the process that holds it, or give the entry another port${place}`;
}
