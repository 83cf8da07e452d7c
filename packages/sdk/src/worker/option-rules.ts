import { wrongOption } from '@rivulet/protocol';
import { sdkError } from '../api/errors.js';
import type { InitOptions, ReconnectionConfig } from '../api/types.js';

/** The options of the official SDK that this SDK ignores. */
const IGNORED = ['otel', 'telemetry'] as const;

/** The rules for the values of the options. The type keeps the list complete. */
const INIT_RULES = {
  workerName: 'a string',
  description: 'a string',
  workerDescription: 'a string',
  invocationTimeoutMs: 'a number from 0',
  reconnectionConfig: 'an object',
  reconnection: 'an object',
  headers: 'an object',
  authToken: 'a string',
  maxRunningHandlers: 'a number from 0',
  maxQueuedCalls: 'a number from 0',
  maxMessageBytes: 'a number from 0',
  onWarning: 'a function',
  debug: 'a boolean',
  enableMetricsReporting: 'a boolean',
} satisfies Record<Exclude<keyof InitOptions, (typeof IGNORED)[number]>, string>;

const RECONNECTION_RULES = {
  initialDelayMs: 'a number from 0',
  maxDelayMs: 'a number from 0',
  backoffMultiplier: 'a number from 0',
  jitterFactor: 'a number from 0',
  maxRetries: 'a number from -1',
} satisfies Record<keyof ReconnectionConfig, string>;

/**
 * Throws `INVALID_ARGUMENTS` for the first unknown or wrong option of a worker. A JavaScript program may give `null` for an absent option.
 */
export function checkInitOptions(options: InitOptions): void {
  const given = Object.entries(options).filter(([name, value]) => value !== null && !IGNORED.some((ignored) => ignored === name));
  const { reconnectionConfig, reconnection } = options;
  const wrong =
    wrongOption(Object.fromEntries(given), INIT_RULES) ??
    wrongOption(reconnectionConfig ?? {}, RECONNECTION_RULES) ??
    wrongOption(reconnection ?? {}, RECONNECTION_RULES);
  if (wrong !== undefined) throw sdkError('INVALID_ARGUMENTS', wrong);
}
