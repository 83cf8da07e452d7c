import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { messageOf } from '../../structures/message-of.js';
import { ConfigError, type ConfigProblem } from '../config-error.js';
import { ENGINE_VERSION } from '../engine-version.js';
import { type Environment, type ExpandedText, expandEnvironment } from '../expand-environment.js';

export type KeyPath = readonly (string | number)[];

export interface SourcePosition {
  readonly line: number;
  readonly column: number;
}

/** Aliases that one file may resolve. More are an attack or a mistake. */
const MAX_ALIASES = 100;

/** The parsed text of one configuration file, with the position of each key. */
export class ConfigSource {
  /** File by the name that the operator used, for messages. */
  readonly file: string;
  /** Plain values. `null` for an empty file. */
  readonly root: unknown;
  readonly #document: Document;
  readonly #expanded: ExpandedText;
  readonly #lines: LineCounter;

  private constructor(file: string, root: unknown, document: Document, expanded: ExpandedText, lines: LineCounter) {
    this.file = file;
    this.root = root;
    this.#document = document;
    this.#expanded = expanded;
    this.#lines = lines;
  }

  /** Parses YAML 1.2 or JSON after it has expanded environment variables. Throws ConfigError with every syntax error. */
  static parse(file: string, source: string, env: Environment): ConfigSource {
    const lines = lineCounter(source);
    const problemAt = (offset: number, message: string): ConfigProblem => {
      const { line, col } = lines.linePos(offset);
      return { file, line, column: col, key: '', message };
    };
    const expanded = expandEnvironment(source, env, ENGINE_VERSION);
    if (expanded.problems.length > 0) {
      throw new ConfigError(expanded.problems.map((problem) => problemAt(problem.offset, problem.message)));
    }
    const document = parseDocument(expanded.text, {
      version: '1.2',
      uniqueKeys: true,
      strict: true,
      prettyErrors: false,
      logLevel: 'error',
    });
    if (document.errors.length > 0) {
      throw new ConfigError(
        document.errors.map((error) => problemAt(expanded.sourceOffset(error.pos[0]), `not valid YAML: ${error.message}`)),
      );
    }
    let root: unknown;
    try {
      root = document.toJS({ maxAliasCount: MAX_ALIASES });
    } catch (error) {
      throw new ConfigError([problemAt(0, `not valid YAML: ${messageOf(error)}`)]);
    }
    return new ConfigSource(file, root, document, expanded, lines);
  }

  /** Returns the position of a key or list element. For an absent key, returns the position of the nearest enclosing one. */
  position(path: KeyPath): SourcePosition {
    let node: Node | null = this.#document.contents;
    let offset = node?.range?.[0] ?? 0;
    for (const segment of path) {
      const step = child(this.#resolved(node), segment);
      if (step === undefined) break;
      offset = step.offset ?? offset;
      node = step.node;
    }
    const { line, col } = this.#lines.linePos(this.#expanded.sourceOffset(offset));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  #resolved(node: Node | null): Node | null {
    return isAlias(node) ? (node.resolve(this.#document) ?? null) : node;
  }
}

interface PathStep {
  readonly node: Node | null;
  readonly offset: number | undefined;
}

function child(node: Node | null, segment: string | number): PathStep | undefined {
  if (isSeq<Node>(node)) {
    const item = typeof segment === 'number' ? node.items[segment] : undefined;
    return item === undefined ? undefined : { node: item, offset: item.range?.[0] };
  }
  if (!isMap<Node, Node>(node)) return undefined;
  const pair = node.items.find((candidate: Pair<Node, Node>) => isScalar(candidate.key) && String(candidate.key.value) === String(segment));
  return pair === undefined ? undefined : { node: pair.value, offset: pair.key.range?.[0] };
}

function lineCounter(source: string): LineCounter {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let index = source.indexOf('\n'); index !== -1; index = source.indexOf('\n', index + 1)) lines.addNewLine(index + 1);
  return lines;
}

/** Formats a key path, such as `workers[1].config.port`. */
export function describeKeyPath(path: KeyPath): string {
  return path.reduce<string>((text, segment) => {
    if (typeof segment === 'number') return `${text}[${segment}]`;
    return text === '' ? segment : `${text}.${segment}`;
  }, '');
}
