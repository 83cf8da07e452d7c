import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from '../config.js';
import { ConfigError } from '../config-error.js';
import { ConfigSource } from './config-source.js';
import type { Environment } from './expand-environment.js';
import { Findings } from './findings.js';
import { defaultStore } from './read-adapter.js';
import { DEFAULT_LOGGING, readConfig } from './read-config.js';
import { defaultWorkers } from './read-workers.js';

export interface LoadOptions {
  /** File that the operator named. Absent means the first of DEFAULT_FILES that exists, else the built-in defaults. */
  readonly file?: string;
  /** Directory for relative paths, both of the file and in the file. */
  readonly cwd: string;
  readonly env: Environment;
  /** Whether unknown keys and unknown workers are only warnings, in both formats. */
  readonly lenient: boolean;
}

const DEFAULT_FILES = ['iii-config.yaml', 'config.yaml'] as const;

/** Largest size of a file. No useful configuration comes near it, so a larger file is a mistake. */
const MAX_FILE_BYTES = 1_048_576;

/** Returns the effective configuration. Throws ConfigError. Opens and writes nothing. */
export function loadConfig(options: LoadOptions): Config {
  const { cwd, env, lenient } = options;
  const file = options.file ?? DEFAULT_FILES.find((name) => statSync(resolve(cwd, name), { throwIfNoEntry: false }) !== undefined);
  if (file === undefined) return defaultConfig(cwd);
  const source = ConfigSource.parse(file, readText(file, cwd), env);
  const findings = new Findings(source, lenient);
  const read = readConfig(source, (path) => resolve(cwd, path), findings);
  return { ...read, warnings: findings.warnings, notes: findings.notes, file: resolve(cwd, file) };
}

/** Returns the configuration for a start without a file: all built workers, durable, on loopback only. */
function defaultConfig(cwd: string): Config {
  return {
    ...defaultWorkers((owner) => defaultStore(owner, cwd)),
    pubsub: true,
    logging: DEFAULT_LOGGING,
    strictPayloads: false,
    requireAuth: false,
    warnings: [],
    notes: [],
    file: undefined,
  };
}

function readText(file: string, cwd: string): string {
  const path = resolve(cwd, file);
  const unusable = (message: string) => new ConfigError([{ file, line: undefined, column: undefined, key: '', message }]);
  let bytes: Buffer;
  try {
    const { size } = statSync(path);
    if (size > MAX_FILE_BYTES) throw unusable(`the file has ${size} bytes, more than ${MAX_FILE_BYTES}; is it a configuration?`);
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw unusable(`can't be read (${code}); give --config the path of an existing file`);
  }
  try {
    // oxlint-disable-next-line eslint/no-restricted-globals -- inside a try; the bytes are a file of the operator
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unusable('is not UTF-8 text; save it with that encoding');
  }
}
