import { unknownOption } from '@rivulet/protocol';
import type { InitOptions, ReconnectionConfig } from '../api/types.js';

/** The names of all options. The type keeps the list complete. */
const INIT_OPTION_NAMES = Object.keys({
  workerName: true,
  description: true,
  workerDescription: true,
  invocationTimeoutMs: true,
  reconnectionConfig: true,
  reconnection: true,
  headers: true,
  authToken: true,
  maxRunningHandlers: true,
  maxQueuedCalls: true,
  maxMessageBytes: true,
  onWarning: true,
  enableMetricsReporting: true,
  otel: true,
  telemetry: true,
} satisfies Record<keyof InitOptions, true>);

const RECONNECTION_NAMES = Object.keys({
  initialDelayMs: true,
  maxDelayMs: true,
  backoffMultiplier: true,
  jitterFactor: true,
  maxRetries: true,
} satisfies Record<keyof ReconnectionConfig, true>);

/** Returns what is wrong with the names of a worker's options; `undefined`: nothing. */
export function unknownInitOption({ reconnectionConfig, reconnection, ...options }: InitOptions): string | undefined {
  // Callers without types give `null` too, for nothing.
  return (
    unknownOption(options, INIT_OPTION_NAMES) ??
    unknownOption(reconnectionConfig ?? {}, RECONNECTION_NAMES) ??
    unknownOption(reconnection ?? {}, RECONNECTION_NAMES)
  );
}
