/** One mistake in the configuration, with its place and the remedy. */
export interface ConfigProblem {
  /** File by the name that the operator used. */
  readonly file: string;
  /** Line, counted from 1. `undefined` when the mistake has no place in the text, such as a missing file. */
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** Key path such as `workers[1].config.port`. Empty for the whole file. */
  readonly key: string;
  readonly message: string;
}

/** A configuration that the engine cannot use. It has every mistake of the file, so that one run shows all of them. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(describeProblem).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Formats a mistake as one line: `file:line:column key: message`. */
export function describeProblem(problem: ConfigProblem): string {
  const place = problem.line === undefined ? problem.file : `${problem.file}:${problem.line}:${problem.column ?? 1}`;
  return problem.key === '' ? `${place}: ${problem.message}` : `${place} ${problem.key}: ${problem.message}`;
}
