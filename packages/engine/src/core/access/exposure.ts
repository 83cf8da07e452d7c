import { isDeepStrictEqual } from 'node:util';
import { field, isJsonObject } from '@rivulet/protocol';
import type { ExposeRule, MetadataCondition } from '../../config/config.js';
import { Wildcard } from '../../structures/wildcard.js';

type Rule = (functionId: string, metadata: unknown) => boolean;

/** The rules of `expose_functions`, ready to be asked about each call. */
export class Exposure {
  readonly #rules: readonly Rule[];

  constructor(rules: readonly ExposeRule[]) {
    this.#rules = rules.map(compile);
  }

  /** Whether any rule fits; `metadata` is that of the function's registration. */
  covers(functionId: string, metadata: unknown): boolean {
    return this.#rules.some((rule) => rule(functionId, metadata));
  }
}

function compile(rule: ExposeRule): Rule {
  if (rule.kind === 'match') {
    const wildcard = new Wildcard(rule.pattern);
    return (functionId) => wildcard.matches(functionId);
  }
  const conditions = rule.conditions.map(compileCondition);
  return (_functionId, metadata) => isJsonObject(metadata) && conditions.every((holds) => holds(metadata));
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

/** In JSON -0 and 0 are one number. */
function plain(value: unknown): unknown {
  return value === 0 ? 0 : value;
}
