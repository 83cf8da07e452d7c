import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config, ConfigWarning } from '../config.js';
import { ConfigError } from '../config-error.js';
import type { Environment } from '../expand-environment.js';
import { ConfigSource } from './config-source.js';
import { Findings } from './findings.js';
import { defaultStore } from './read-adapter.js';
import { DEFAULT_LOGGING, readConfig } from './read-config.js';
import { defaultWorkers } from './read-workers.js';

export interface LoadOptions {
  /** File that the operator named. Absent means the first of DEFAULT_FILES that exists, else the built-in defaults. */
  readonly file?: string;
  /** Content of a file in place of one that is read. `file` is then only its name in messages. @default the file is read */
  readonly text?: string;
  /** Directory for relative paths, both of the file and in the file. */
  readonly cwd: string;
  readonly env: Environment;
  /** Whether unknown keys and unknown workers are only warnings, in both formats. */
  readonly lenient: boolean;
}

/** The files that the engine tries, in this order. The original engine calls its file `iii-config.yaml` or `config.yaml`. */
const DEFAULT_FILES = ['rivulet.yaml', 'iii-config.yaml', 'config.yaml'] as const;

/** Names that a file for this engine gets by mistake. */
const MISNAMED_FILES = ['rivulet.yml', 'rivulet.json', 'iii-config.yml', 'iii-config.json'] as const;

/** Names that a file gets by mistake, and that files of other programs have too. */
const COMMON_MISNAMED_FILES = ['config.yml', 'config.json'] as const;

/** Largest size of a file. No useful configuration comes near it, so a larger file is a mistake. */
const MAX_FILE_BYTES = 1_048_576;

/** Returns the effective configuration. Throws ConfigError. Opens and writes nothing. */
export function loadConfig(options: LoadOptions): Config {
  const { cwd, env, lenient, text } = options;
  const isNamed = options.file !== undefined || text !== undefined;
  const present = isNamed ? [options.file ?? 'the configuration'] : DEFAULT_FILES.filter((name) => isFound(name, cwd));
  const [file, ...others] = present;
  if (file === undefined) return { ...defaultConfig(cwd), warnings: defaultsCount(cwd) };
  const source = ConfigSource.parse(file, text ?? readText(file, cwd), env);
  const findings = new Findings(source, lenient);
  const read = readConfig(source, (path) => resolve(cwd, path), findings);
  const notRead = isNamed ? [] : filesNotRead(file, others, cwd);
  return { ...read, warnings: [...notRead, ...findings.warnings], notes: findings.notes, file: resolve(cwd, file) };
}

/**
 * Warns of other files for this engine. `config.yaml` and its misspelt forms may belong to another program, so the engine says nothing
 * about them. A wrong name beside `rivulet.yaml` does no harm.
 */
function filesNotRead(file: string, others: readonly string[], cwd: string): readonly ConfigWarning[] {
  const because = `because ${file} is read`;
  const second = others.includes('iii-config.yaml')
    ? [fileNotRead('iii-config.yaml', `${because}; remove one of the two, or name it with --config`)]
    : [];
  if (file === 'rivulet.yaml') return second;
  const misnamed = MISNAMED_FILES.filter((name) => isFound(name, cwd));
  return [...second, ...misnamed.map((name) => fileNotRead(name, `${because}; call it rivulet.yaml, or name it with --config`))];
}

/** Warns of files that are not read because of their names. Otherwise the engine would start with its defaults, and without a word. */
function defaultsCount(cwd: string): readonly ConfigWarning[] {
  const because = 'and the built-in defaults count';
  const ours = MISNAMED_FILES.filter((name) => isFound(name, cwd));
  const common = COMMON_MISNAMED_FILES.filter((name) => isFound(name, cwd));
  return [
    ...ours.map((name) => fileNotRead(name, `${because}; call it rivulet.yaml, or name it with --config`)),
    ...common.map((name) => fileNotRead(name, `${because}; if it is for this engine, call it rivulet.yaml, or name it with --config`)),
  ];
}

function fileNotRead(name: string, rest: string): ConfigWarning {
  return { code: 'config_file_not_read', message: `${name} is not read, ${rest}` };
}

function isFound(name: string, cwd: string): boolean {
  return statSync(resolve(cwd, name), { throwIfNoEntry: false }) !== undefined;
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
    nameStyle: 'rivulet',
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
