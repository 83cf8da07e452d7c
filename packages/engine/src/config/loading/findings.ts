import { nearestName } from '@rivulet/protocol';
import type { ConfigWarning } from '../config.js';
import { ConfigError, type ConfigProblem, describeProblem } from '../config-error.js';
import { type ConfigSource, describeKeyPath, type KeyPath } from './config-source.js';

/**
 * The format of an entry. An unknown key is an error in `name` and a warning in `class`. In `rules` it is an error even with
 * `--lenient-config`.
 */
export type EntryForm = 'name' | 'class' | 'rules';

/** Collects problems, warnings and notes while a file is read, each with its place. */
export class Findings {
  readonly #source: ConfigSource;
  readonly #lenient: boolean;
  readonly #problems: ConfigProblem[] = [];
  readonly #warnings: ConfigWarning[] = [];
  readonly #notes: ConfigWarning[] = [];

  constructor(source: ConfigSource, lenient: boolean) {
    this.#source = source;
    this.#lenient = lenient;
  }

  get warnings(): readonly ConfigWarning[] {
    return this.#warnings;
  }

  get notes(): readonly ConfigWarning[] {
    return this.#notes;
  }

  /** Adds a problem, which stops the start. */
  problem(path: KeyPath, message: string): void {
    this.#problems.push(this.#located(path, message));
  }

  /** Adds a warning, which does not stop the start. */
  warn(code: string, path: KeyPath, message: string, fields?: ConfigWarning['fields']): void {
    const warning = { code, message: describeProblem(this.#located(path, message)) };
    this.#warnings.push(fields === undefined ? warning : { ...warning, fields });
  }

  /** Adds a fact that needs no action. */
  note(code: string, path: KeyPath, message: string): void {
    this.#notes.push({ code, message: describeProblem(this.#located(path, message)) });
  }

  /** Adds a problem, or a warning with `--lenient-config`. */
  problemUnlessLenient(code: string, path: KeyPath, message: string): void {
    if (this.#lenient) this.warn(code, path, `${message} (let through by --lenient-config)`);
    else this.problem(path, message);
  }

  /** Adds an unknown key, with the nearest known one as the remedy. */
  unknownKey(form: EntryForm, path: KeyPath, known: readonly string[]): void {
    const key = String(path.at(-1));
    const near = nearestName(key, known);
    const remedy = near === undefined ? `remove it; known keys: ${known.join(', ')}` : `did you mean "${near}"?`;
    const message = `unknown key "${key}", ${remedy}`;
    if (form === 'rules') this.problem(path, message);
    else if (form === 'class') this.warn('unknown_key', path, message);
    else this.problemUnlessLenient('unknown_key', path, message);
  }

  /** Throws ConfigError if there is any problem. */
  finish(): void {
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
  }

  #located(path: KeyPath, message: string): ConfigProblem {
    const { line, column } = this.#source.position(path);
    return { file: this.#source.file, line, column, key: describeKeyPath(path), message };
  }
}
