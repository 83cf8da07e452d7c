import { type Fields, type Keys, key } from './key.js';
import { oneOf } from './value-schemas.js';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export const LOG_FORMATS = ['default', 'json'] as const;

/** Keys of `iii-observability`. `readLogging` reads them, because a wrong value here is only a warning. */
export const LOGGING_KEYS = {
  level: key('level', oneOf(LOG_LEVELS, 'info'), 'Lowest level that is logged. `log_level` is the same key'),
  format: key('format', oneOf(LOG_FORMATS, 'default'), 'Readable lines, or one JSON object a line'),
} as const satisfies Keys;

export interface LoggingConfig extends Fields<typeof LOGGING_KEYS> {}
