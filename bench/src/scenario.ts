/** How much to measure. `quick` only shows that everything runs: its figures mean nothing. */
export interface Effort {
  readonly runs: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
  /** Scales the numbers of connections; 1 is what the figures are quoted for. */
  readonly scale: number;
  /** Folder of another checkout of Rivulet, built, that fan-out, durable sets, calls and latency are compared with. `undefined`: no comparison. */
  readonly before: string | undefined;
}

/** One measured thing: every run of ours and of the peer, and what was promised. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly runs: readonly number[];
  readonly median: number;
}

/** A bound that the product promises, and what was measured against it. */
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
  /** What a reader has to know to read the figures. */
  readonly notes: readonly string[];
}

export interface Scenario {
  readonly name: string;
  /** Whether it starts a redis-server. Default false. */
  readonly needsRedis?: boolean;
  run(effort: Effort, say: (line: string) => void): Promise<ScenarioResult>;
}
