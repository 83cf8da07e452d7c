import { type Fields, type Keys, key } from './key.js';
import { oneOf } from './value-schemas.js';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export const LOG_FORMATS = ['auto', 'text', 'json'] as const;

/** Keys of `rivulet-observability`. `readLogging` reads them, because a wrong value here is only a warning. */
export const LOGGING_KEYS = {
  level: key('level', oneOf(LOG_LEVELS, 'info'), 'Lowest level that is logged. `log_level` is the same key'),
  format: key(
    'format',
    oneOf(LOG_FORMATS, 'auto'),
    '`text`: readable lines. `json`: one JSON object a line. `auto`, or `default`: `text` on a terminal, else `json`',
  ),
} as const satisfies Keys;

export interface LoggingConfig extends Fields<typeof LOGGING_KEYS> {}
