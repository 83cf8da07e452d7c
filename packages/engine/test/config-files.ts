import { fileURLToPath } from 'node:url';
import { directoryWith } from '@rivulet/testkit/directory-with';
import type { Config } from '../src/config/config.js';
import { ConfigError, type ConfigProblem } from '../src/config/config-error.js';
import { loadConfig } from '../src/config/loading/load-config.js';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

interface TextOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly lenient?: boolean;
}

/** Returns the configuration of a new directory whose iii-config.yaml has this text. */
export function load(text: string, { env = {}, lenient = false }: TextOptions = {}): Config {
  return loadConfig({ cwd: directoryWith({ 'iii-config.yaml': text }), env, lenient });
}

/** Returns the problems that stop `text` from loading, or none. */
export function problemsOf(text: string, options: TextOptions = {}): readonly ConfigProblem[] {
  try {
    load(text, options);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

export const warningCodes = (config: Config): string[] => config.warnings.map(({ code }) => code);
