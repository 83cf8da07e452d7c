import { Lexer } from 'yaml';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentProblem {
  readonly variable: string;
  /** Offset in the text before expansion. */
  readonly offset: number;
  readonly message: string;
}

export interface ExpandedText {
  readonly text: string;
  readonly problems: readonly EnvironmentProblem[];
  /** Returns the position in the text before expansion, for error messages. */
  sourceOffset(offset: number): number;
}

/** As the default of a variable, this text stands for the version of the engine. */
const VERSION_DEFAULT = '__III_ENGINE_VERSION__';

/** A name has no colon, brace or line break. The default ends at the first closing brace, so references do not nest. */
const REFERENCE = /\$\{([^}:\r\n]+)(?::([^}]*))?\}/g;

interface Replacement {
  readonly sourceStart: number;
  readonly sourceEnd: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Replaces `${NAME}` and `${NAME:default}` in the raw text of a configuration file, before YAML parses it. A variable that is set wins over
 * the default, even when it is empty. Comments stay as they are. A value with a line break is refused, because it could add keys to the
 * file.
 */
export function expandEnvironment(source: string, env: Environment, engineVersion: string): ExpandedText {
  const comments = commentRanges(source);
  const problems: EnvironmentProblem[] = [];
  const replacements: Replacement[] = [];
  let text = '';
  let copied = 0;
  for (const match of source.matchAll(REFERENCE)) {
    const [reference, name = '', fallback] = match;
    if (comments.some(([start, end]) => match.index >= start && match.index < end)) continue;
    const set = Object.hasOwn(env, name) ? env[name] : undefined;
    const value = set ?? (fallback === VERSION_DEFAULT ? engineVersion : fallback);
    const trouble = troubleWith(name, value);
    if (trouble !== undefined) {
      problems.push({ variable: name, offset: match.index, message: trouble });
      continue;
    }
    text += source.slice(copied, match.index);
    const start = text.length;
    text += value;
    copied = match.index + reference.length;
    replacements.push({ sourceStart: match.index, sourceEnd: copied, start, end: text.length });
  }
  text += source.slice(copied);
  return { text, problems, sourceOffset: (offset) => sourceOffset(replacements, offset) };
}

function troubleWith(name: string, value: string | undefined): string | undefined {
  if (value === undefined) return `environment variable ${name} is not set; set it, or give a default: \${${name}:value}`;
  if (/[\r\n]/.test(value)) return `the value of environment variable ${name} has a line break, which could change the file; remove it`;
  return undefined;
}

function sourceOffset(replacements: readonly Replacement[], offset: number): number {
  let shift = 0;
  for (const replacement of replacements) {
    if (offset < replacement.start) break;
    if (offset < replacement.end) return replacement.sourceStart;
    shift = replacement.sourceEnd - replacement.end;
  }
  return offset + shift;
}

/** Returns the comments as the YAML lexer sees them. A `#` inside quotes, block scalars or words begins no comment. */
function commentRanges(source: string): readonly (readonly [start: number, end: number])[] {
  const ranges: [number, number][] = [];
  let offset = 0;
  let scalarFollows = false;
  for (const token of new Lexer().lex(source)) {
    if (isLexerMark(token)) {
      scalarFollows = token === '\u001f';
      continue;
    }
    if (token.startsWith('#') && !scalarFollows) ranges.push([offset, offset + token.length]);
    offset += token.length;
    scalarFollows = false;
  }
  return ranges;
}

/**
 * Returns whether a token is a mark that the lexer adds and that is not part of the text: document start, flow error end, scalar follows.
 */
function isLexerMark(token: string): boolean {
  return token === '\u0002' || token === '\u0018' || token === '\u001f';
}
