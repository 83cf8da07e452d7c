import type { LoggingConfig } from '../../config/config.js';
import { LOG_FORMATS, LOG_LEVELS } from '../../config/keys/logging-keys.js';
import type { Command, CommandContext, CommandInput } from '../command/command.js';

/** Options of logging. They win over the environment, and the environment wins over the file. */
export const LOG_OPTIONS = {
  'log-level': { type: 'value', value: 'LEVEL', description: `${LOG_LEVELS.join(', ')}; else RIVULET_LOG_LEVEL, else the file` },
  'log-format': { type: 'value', value: 'FORMAT', description: `${LOG_FORMATS.join(', ')}; else RIVULET_LOG_FORMAT, else the file` },
} as const satisfies Command['options'];

/** Returns the logging of a start, or a sentence about a wrong option or variable. */
export function loggingOf(input: CommandInput, { env }: CommandContext, file: LoggingConfig): LoggingConfig | string {
  const level = chosen('--log-level or RIVULET_LOG_LEVEL', input.value('log-level') ?? env.RIVULET_LOG_LEVEL, LOG_LEVELS, file.level);
  const format = chosen(
    '--log-format or RIVULET_LOG_FORMAT',
    input.value('log-format') ?? env.RIVULET_LOG_FORMAT,
    LOG_FORMATS,
    file.format,
  );
  if (typeof level === 'string') return level;
  return typeof format === 'string' ? format : { ...file, level: level.value, format: format.value };
}

function chosen<T extends string>(name: string, text: string | undefined, known: readonly T[], file: T): { readonly value: T } | string {
  if (text === undefined || text === '') return { value: file };
  const value = known.find((each) => each === text.toLowerCase());
  return value === undefined ? `${name} is "${text}", which is not known; known: ${known.join(', ')}` : { value };
}
