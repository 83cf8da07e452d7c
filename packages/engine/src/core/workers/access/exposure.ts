import { isDeepStrictEqual } from 'node:util';
import { field, isJsonObject } from '@rivulet/protocol';
import type { ExposeRule, MetadataCondition } from '../../../config/config.js';
import { Wildcard } from '../../../structures/wildcard.js';
import { ExposedPattern } from './exposed-pattern.js';

interface Rule {
  readonly covers: (functionId: string, metadata: unknown, engineName: boolean) => boolean;
  readonly names: (functionId: string) => boolean;
}

/** The rules of `expose_functions`, compiled once for all calls of a listener. */
export class Exposure {
  readonly #rules: readonly Rule[];
  readonly #hasMetadataRules: boolean;
  /** Patterns of the rules that name a namespace. */
  readonly #elsewhere: readonly { readonly namespace: string; readonly pattern: ExposedPattern }[];

  constructor(rules: readonly ExposeRule[]) {
    this.#rules = rules.filter((rule) => namespaceOf(rule) === undefined).map(compile);
    this.#hasMetadataRules = rules.some(({ kind }) => kind === 'metadata');
    this.#elsewhere = rules.flatMap((rule) => {
      const namespace = namespaceOf(rule);
      return rule.kind === 'match' && namespace !== undefined ? [{ namespace, pattern: new ExposedPattern(rule.pattern) }] : [];
    });
  }

  /** Whether there is any rule. */
  get hasRules(): boolean {
    return this.#rules.length > 0 || this.#elsewhere.length > 0;
  }

  /** Whether there is a rule of `metadata`. Such a rule can't tell what it exposes while no worker serves it. */
  get hasMetadataRules(): boolean {
    return this.#hasMetadataRules;
  }

  /** Returns whether a rule for this namespace fits the id. */
  coversIn(namespace: string, functionId: string, engineName: boolean): boolean {
    return this.#elsewhere.some((rule) => rule.namespace === namespace && rule.pattern.exposes(functionId, engineName));
  }

  /** Returns whether any rule fits. `metadata` is that of the function's registration. `engineName`: the id belongs to the engine. */
  covers(functionId: string, metadata: unknown, engineName: boolean): boolean {
    return this.#rules.some((rule) => rule.covers(functionId, metadata, engineName));
  }

  /** Returns whether a rule is exactly this id, without a wildcard. */
  names(functionId: string): boolean {
    return this.#rules.some((rule) => rule.names(functionId));
  }
}

function namespaceOf(rule: ExposeRule): string | undefined {
  return rule.kind === 'match' ? rule.namespace : undefined;
}

function compile(rule: ExposeRule): Rule {
  if (rule.kind === 'match') {
    const pattern = new ExposedPattern(rule.pattern);
    return {
      covers: (functionId, _metadata, engineName) => pattern.exposes(functionId, engineName),
      names: (functionId) => pattern.names(functionId),
    };
  }
  const conditions = rule.conditions.map(compileCondition);
  return {
    // The metadata of a worker's registration never exposes a name of the engine.
    covers: (_functionId, metadata, engineName) => !engineName && isJsonObject(metadata) && conditions.every((holds) => holds(metadata)),
    names: () => false,
  };
}

function compileCondition({ key, ...wanted }: MetadataCondition): (metadata: Readonly<Record<string, unknown>>) => boolean {
  if (wanted.pattern === undefined) {
    const { equals } = wanted;
    return (metadata) => Object.hasOwn(metadata, key) && isDeepStrictEqual(plain(metadata[key]), plain(equals));
  }
  const wildcard = new Wildcard(wanted.pattern);
  return (metadata) => {
    const value = field(metadata, key);
    return typeof value === 'string' && wildcard.matches(value);
  };
}

/** Returns a value in which -0 is 0. JSON does not tell them apart. */
function plain(value: unknown): unknown {
  return value === 0 ? 0 : value;
}
