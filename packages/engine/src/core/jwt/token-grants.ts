import { isJsonObject, utf8Length } from '@rivulet/protocol';
import type { JwtGrants } from '../../config/config.js';
import { matchesParts, type PartPattern, readPartPattern } from '../../config/part-pattern.js';
import type { Claims } from './claims.js';
import type { TokenRefusal } from './token-refusal.js';

const PATTERNS = 256;
const PATTERN_BYTES = 1_024;
const SUBJECT = '{sub}';

interface Patterns {
  readonly join: readonly PartPattern[];
  readonly call: readonly PartPattern[];
  readonly lease: readonly PartPattern[];
}

const NOTHING: Patterns = { join: [], call: [], lease: [] };

/** The groups and functions that the holder of a token may join, call and lease. */
export class TokenGrants {
  /** The name of the user, and the id of the items that the user leases. */
  readonly identity: string;
  readonly #patterns: Patterns;

  constructor(identity: string, patterns: Patterns) {
    this.identity = identity;
    this.#patterns = patterns;
  }

  /** Returns whether a group, or one item of it, may be watched. A group in which the holder leases an item may be watched too. */
  mayJoin(stream: string, group: string, item?: string): boolean {
    const path = [stream, group];
    if (matchesAny(this.#patterns.join, path, '/') || this.mayLease(stream, group)) return true;
    return item !== undefined && matchesAny(this.#patterns.join, [...path, item], '/');
  }

  /** Returns whether the holder leases an item in a group that it joins. */
  mayLease(stream: string, group: string): boolean {
    return matchesAny(this.#patterns.lease, [stream, group], '/');
  }

  /** Returns whether a function may be called. The caller refuses functions of the engine, whatever the patterns say. */
  mayCall(functionId: string): boolean {
    return matchesAny(this.#patterns.call, functionId.split('::'), '::');
  }
}

function matchesAny(patterns: readonly PartPattern[], parts: readonly string[], separator: string): boolean {
  return patterns.some((pattern) => matchesParts(pattern, parts, separator));
}

/**
 * Makes the grants of each token of a listener: from the claim of the token, else from the configuration, else none. Placeholders of the
 * configuration become the subject of the token, which is literal: it can't add a part or a `*`.
 */
export class GrantReader {
  readonly #claim: string;
  readonly #templates: Patterns;
  /** Whether the subject stands in a pattern or becomes the id of an item. */
  readonly #usesSubject: boolean;

  constructor(claim: string, grants: JwtGrants | undefined) {
    this.#claim = claim;
    const read = (list: readonly string[] | undefined, separator: string) =>
      (list ?? []).map((text) => readPartPattern(text, separator)).filter((pattern) => pattern !== undefined);
    this.#templates = { join: read(grants?.join, '/'), call: read(grants?.call, '::'), lease: read(grants?.lease, '/') };
    const all = Object.values(this.#templates).flat(2);
    this.#usesSubject = this.#templates.lease.length > 0 || all.some((part: string | null) => part?.includes(SUBJECT) === true);
  }

  read(claims: Claims, identity: string): TokenGrants | TokenRefusal {
    if (!Object.hasOwn(claims, this.#claim)) {
      if (this.#usesSubject && !isSubstitutable(identity)) return 'subject_not_substitutable';
      return new TokenGrants(identity, this.#usesSubject ? filled(this.#templates, identity) : this.#templates);
    }
    const patterns = readClaim(claims[this.#claim]);
    if (patterns === undefined) return 'grants_malformed';
    if (patterns.lease.length > 0 && !isSubstitutable(identity)) return 'subject_not_substitutable';
    return new TokenGrants(identity, patterns);
  }
}

function isSubstitutable(identity: string): boolean {
  return !/[/*\p{Cc}]/u.test(identity);
}

function filled({ join, call, lease }: Patterns, identity: string): Patterns {
  const fill = (patterns: readonly PartPattern[]) =>
    patterns.map((pattern) => pattern.map((part) => part?.replaceAll(SUBJECT, () => identity) ?? null));
  return { join: fill(join), call: fill(call), lease: fill(lease) };
}

/** Reads the claim of a token. A member with another name grants nothing, so it is ignored. */
function readClaim(claim: unknown): Patterns | undefined {
  if (!isJsonObject(claim)) return undefined;
  const { join, call, lease } = { ...NOTHING, ...claim };
  const joins = readList(join, '/', [2, 3]);
  const calls = readList(call, '::');
  const leases = readList(lease, '/', [2]);
  if (joins === undefined || calls === undefined || leases === undefined) return undefined;
  return { join: joins, call: calls, lease: leases };
}

function readList(list: unknown, separator: string, lengths?: readonly number[]): readonly PartPattern[] | undefined {
  if (!Array.isArray(list) || list.length > PATTERNS) return undefined;
  const patterns: PartPattern[] = [];
  for (const text of list) {
    if (typeof text !== 'string' || utf8Length(text) > PATTERN_BYTES) return undefined;
    const pattern = readPartPattern(text, separator);
    if (pattern === undefined || lengths?.includes(pattern.length) === false) return undefined;
    patterns.push(pattern);
  }
  return patterns;
}
