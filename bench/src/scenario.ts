/** The size of a run. `quick` only proves that everything runs: its figures mean nothing. */
export interface Effort {
  readonly runs: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
  /** Factor for all numbers of connections. Published figures use 1. */
  readonly scale: number;
  /**
   * Folder of another built checkout of Rivulet. Fan-out, durable sets, calls and latency are compared with it. `undefined`: no comparison.
   */
  readonly before: string | undefined;
}

/** The figures of one subject, for all runs of Rivulet and of its peer. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly runs: readonly number[];
  readonly median: number;
}

/** A bound that the project promises, and the measured value. */
export interface Target {
  readonly name: string;
  readonly measured: number;
  readonly bound: number;
  readonly sense: 'at least' | 'at most';
  readonly met: boolean;
}

export interface ScenarioResult {
  readonly scenario: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  readonly targets: readonly Target[];
  /** Notes that a reader needs to understand the figures. */
  readonly notes: readonly string[];
}

export interface Scenario {
  readonly name: string;
  /** Whether the scenario starts a redis-server. @default false */
  readonly needsRedis?: boolean;
  run(effort: Effort, say: (line: string) => void): Promise<ScenarioResult>;
}
