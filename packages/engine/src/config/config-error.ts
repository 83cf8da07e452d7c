/** One thing that is wrong with the configuration, with the place and the remedy. */
export interface ConfigProblem {
  /** File as it was named to the engine. */
  readonly file: string;
  /** 1-based; `undefined` when the matter has no place in the text (a missing file, say). */
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** Key path such as `workers[1].config.port`; empty for the whole file. */
  readonly key: string;
  readonly message: string;
}

/** The configuration can't be used. Carries every problem found, so that one run is enough to mend a file. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(describeProblem).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** `file:line:column key: message`, one line. */
export function describeProblem(problem: ConfigProblem): string {
  const place = problem.line === undefined ? problem.file : `${problem.file}:${problem.line}:${problem.column ?? 1}`;
  return problem.key === '' ? `${place}: ${problem.message}` : `${place} ${problem.key}: ${problem.message}`;
}
