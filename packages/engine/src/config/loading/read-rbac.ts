import { isNamespace } from '@rivulet/protocol';
import type { ExposeRule, MetadataCondition, RbacConfig } from '../config.js';
import { hiddenEngineName } from '../engine-prefixes.js';
import { readFields, schemaOf } from '../keys/key.js';
import { RBAC_KEYS } from '../keys/rbac-keys.js';
import type { KeyPath } from './config-source.js';
import type { Findings } from './findings.js';
import { readAuth } from './read-jwt.js';
import { isMapping, readSection, shown } from './read-section.js';

const rbacSchema = schemaOf(RBAC_KEYS);

/** The namespace of a rule without one. */
const NAMESPACE = 'default';
const RULES = 1_000;
const PATTERN_CHARS = 1_024;
const EXPECTED = 'match("pattern"), { match: pattern, namespace: name } or { metadata: { key: value } }';

/**
 * Reads the rules of a listener. An unknown key is an error in both formats, even with `--lenient-config`. Without that key, the listener
 * could let in more than the operator meant. Returns `undefined` if the rules are wrong, and reports why.
 */
export function readRbac(value: unknown, path: KeyPath, resolvePath: (path: string) => string, findings: Findings): RbacConfig | undefined {
  if (value === null) {
    findings.problem(path, 'rbac is empty, which would trust every peer; write {} for rules that expose nothing, or remove the key');
    return undefined;
  }
  const values = readSection(rbacSchema, { value, path, form: 'rules' }, findings);
  if (values === undefined) return undefined;
  const rulesPath = [...path, 'expose_functions'];
  const exposeFunctions = readExposeRules(values.expose_functions ?? [], rulesPath, findings);
  const jwt = readAuth(values.auth, [...path, 'auth'], resolvePath, findings);
  if (jwt !== undefined && values.expose_functions?.length === 0)
    findings.problem(rulesPath, 'an empty list exposes nothing, whatever a token grants; remove the key, and the grants of tokens decide');
  return { ...readFields(RBAC_KEYS, values), exposeFunctions, ...(jwt === undefined ? {} : { jwt }) };
}

/** Reads a list of rules. Leaves out those that are wrong, and reports why. */
export function readExposeRules(rules: readonly unknown[], path: KeyPath, findings: Findings): readonly ExposeRule[] {
  if (rules.length > RULES) findings.problem(path, `there are more than ${RULES} rules; join some with *`);
  const read = rules.slice(0, RULES).map((rule, index) => readRule(rule, [...path, index], findings));
  for (const [index, rule] of read.entries()) if (rule !== undefined) noteHiddenNames(rule, [...path, index], findings);
  return read.filter((rule) => rule !== undefined);
}

/** Notes a pattern that once let guests call engine functions too. Operators who rely on that must name the functions. */
function noteHiddenNames(rule: ExposeRule, path: KeyPath, findings: Findings): void {
  const hidden = rule.kind === 'match' ? hiddenEngineName(rule.pattern) : undefined;
  if (hidden === undefined) return;
  const remedy = `if guests need one, add its id, such as match("${hidden}")`;
  findings.note('engine_names_hidden', path, `this pattern exposes functions of workers, but no engine functions; ${remedy}`);
}

function readRule(rule: unknown, path: KeyPath, findings: Findings): ExposeRule | undefined {
  if (typeof rule === 'string') {
    const pattern = matchPattern(rule);
    if (pattern !== undefined) return { kind: 'match', pattern };
  } else if (isMapping(rule)) {
    const unknown = Object.keys(rule).filter((key) => key !== 'match' && key !== 'namespace' && key !== 'metadata');
    for (const key of unknown) findings.problem([...path, key], `unknown key "${key}" of a rule; expected ${EXPECTED}`);
    if (unknown.length > 0) return undefined;
    if (Object.hasOwn(rule, 'match') && !Object.hasOwn(rule, 'metadata')) return readMatch(rule, path, findings);
    if (isMapping(rule.metadata) && Object.keys(rule).length === 1) return readMetadata(rule.metadata, path, findings);
  }
  findings.problem(path, `${shown(rule)} is not valid; expected ${EXPECTED}`);
  return undefined;
}

function readMatch(rule: Readonly<Record<string, unknown>>, path: KeyPath, findings: Findings): ExposeRule | undefined {
  const { match, namespace = NAMESPACE } = rule;
  if (typeof match !== 'string' || match === '' || match.length > PATTERN_CHARS) {
    findings.problem([...path, 'match'], `${shown(match)} is not valid; expected a pattern of 1 to ${PATTERN_CHARS} characters`);
    return undefined;
  }
  const pattern = matchPattern(match) ?? match;
  if (namespace === NAMESPACE) return { kind: 'match', pattern };
  if (!isNamespace(namespace)) {
    findings.problem([...path, 'namespace'], `${shown(namespace)} is not valid; expected a name`);
    return undefined;
  }
  return { kind: 'match', pattern, namespace };
}

/** Reads conditions on metadata. A rule without keys would match every function. */
function readMetadata(metadata: Readonly<Record<string, unknown>>, path: KeyPath, findings: Findings): ExposeRule | undefined {
  const entries = Object.entries(metadata);
  if (entries.length === 0) {
    findings.problem([...path, 'metadata'], 'metadata without keys would expose every function; write match("*") if that is meant');
    return undefined;
  }
  const conditions = entries.map(([key, value]): MetadataCondition => {
    const pattern = typeof value === 'string' ? matchPattern(value) : undefined;
    return pattern === undefined ? { key, equals: value } : { key, pattern };
  });
  return { kind: 'metadata', conditions };
}

/** Returns the pattern inside `match("…")` or `match('…')`. */
function matchPattern(text: string): string | undefined {
  const found = /^\s*match\(\s*(?:"([^"]+)"|'([^']+)')\s*\)\s*$/.exec(text);
  const pattern = found?.[1] ?? found?.[2];
  return pattern !== undefined && pattern.length <= PATTERN_CHARS ? pattern : undefined;
}
