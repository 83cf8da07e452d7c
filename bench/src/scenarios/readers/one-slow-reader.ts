import type { WindowReport } from '../../load/clients/commands.js';
import { sinkBinary } from '../../load/clients/sink-binary.js';
import { LoadProcess } from '../../load/load-process.js';
import { Figures, target } from '../../measure/figures.js';
import { median } from '../../measure/statistics.js';
import type { Effort, Figure, Target } from '../../scenario.js';
import { type ServerProcess, startServer } from '../../servers/server-process.js';
import { fill } from './fill.js';

const SUBSCRIBERS = 1_000;
export const RATE = 1_000;
const FILL_MESSAGES = 16_000;
const SAMPLED = 50;
const WINDOWS = 9;
const LOOK_MS = 500;
const GROUP = 'room';

/** The one reader that is slower than its messages. */
export interface SlowReader {
  readonly scenario: string;
  /** The name of the reader in figures. */
  readonly label: string;
  /** Bytes that it reads per second; 0: it reads nothing. */
  readonly bytesPerSecond: number;
  /** How long it stays after the last window, to see whether the engine disconnects it, in milliseconds. */
  readonly staysMs: number;
}

export interface OthersMeasured {
  readonly figures: readonly Figure[];
  readonly targets: readonly Target[];
}

/** Alternates windows with and without one slow reader at one engine. Measures its effect on the other readers, and its cost. */
export async function besideOneSlowReader(reader: SlowReader, effort: Effort, say: (line: string) => void): Promise<OthersMeasured> {
  const group = await Group.open(reader, effort);
  try {
    const windows = Math.min(WINDOWS, effort.runs * 2 - 1);
    for (let window = 0; window < windows; window++) {
      say(`${reader.scenario} window ${window + 1}/${windows}`);
      const turns = [() => group.allReading(), () => group.oneSlow()];
      for (const turn of window % 2 === 0 ? turns : turns.toReversed()) await turn();
    }
    if (reader.staysMs > 0) {
      say(`${reader.scenario}: whether it stays`);
      await group.stays();
    }
  } finally {
    await group.stop();
  }
  return report(reader.label, group.figures);
}

/** An engine with its fast readers, and at times the slow reader. */
class Group {
  readonly figures = new Figures();
  readonly #reader: SlowReader;
  readonly #effort: Effort;
  readonly #server: ServerProcess;
  readonly #load = new LoadProcess();
  readonly #binary = sinkBinary();
  readonly #count: number;

  private constructor(reader: SlowReader, effort: Effort, server: ServerProcess) {
    this.#reader = reader;
    this.#effort = effort;
    this.#server = server;
    this.#count = Math.ceil(SUBSCRIBERS * effort.scale);
  }

  static async open(reader: SlowReader, effort: Effort): Promise<Group> {
    const group = new Group(reader, effort, await startServer('rivulet'));
    await group.#subscribe();
    return group;
  }

  allReading(): Promise<void> {
    return this.#measure('all reading');
  }

  oneSlow(): Promise<void> {
    return this.#withSlow(async (look) => {
      await this.#measure(this.#reader.label);
      await look();
    });
  }

  stays(): Promise<void> {
    return this.#withSlow(async (look) => {
      const window = this.#write(0, this.#reader.staysMs);
      const looking = setInterval(() => void look(), LOOK_MS);
      await window;
      clearInterval(looking);
      await look();
    });
  }

  async stop(): Promise<void> {
    await this.#load.stop();
    await this.#server.stop();
  }

  async #subscribe(): Promise<void> {
    const watch = { dialect: 'rivulet', url: this.#server.watchUrl, group: GROUP } as const;
    const sampled = Math.min(SAMPLED, this.#count);
    const binary = this.#binary;
    if (binary !== undefined) await this.#load.execute({ kind: 'sink', binary, ...watch, count: this.#count - sampled });
    await this.#load.execute({ kind: 'watch', ...watch, count: binary === undefined ? this.#count : sampled, sampled });
  }

  #write(warmUpMs: number, windowMs: number): Promise<WindowReport> {
    const { writeUrl: url, pid } = this.#server;
    return this.#load.measure({ kind: 'pace', dialect: 'rivulet', url, group: GROUP, rate: RATE, warmUpMs, windowMs, pid });
  }

  async #measure(name: string): Promise<void> {
    const { warmUpMs, windowMs, scale } = this.#effort;
    // More bytes than the kernel buffers for a connection: from here on the engine must buffer for the slow reader. Turns without it get
    // the same.
    await fill(this.#load, this.#server, GROUP, FILL_MESSAGES * scale);
    const window = await this.#write(warmUpMs, windowMs);
    this.figures.add(`${name}: p50 of the others`, 'ms', window.deliveryP50);
    this.figures.add(`${name}: p99 of the others`, 'ms', window.deliveryP99);
  }

  async #withSlow(during: (look: () => Promise<void>) => Promise<void>): Promise<void> {
    const { label, bytesPerSecond } = this.#reader;
    let owned = 0;
    let missing = 0;
    const watch = { dialect: 'rivulet', url: this.#server.watchUrl, group: GROUP, count: 1 } as const;
    await this.#load.execute({ kind: 'stall', binary: this.#binary, ...watch, bytesPerSecond });
    await during(async () => {
      const { largestSessionBytes = Number.NaN, sessions = Number.NaN } = await this.#server.ask('figures');
      owned = Math.max(owned, largestSessionBytes);
      missing = Math.max(missing, this.#count + 1 - sessions);
    });
    await this.#load.execute({ kind: 'end-stall' });
    this.figures.add(`${label}: bytes that its session owns`, 'B', owned);
    this.figures.add(`${label}: disconnected`, '', missing);
  }
}

function report(label: string, figures: Figures): OthersMeasured {
  const runs = (name: string) => figures.list().find((figure) => figure.name === name)?.runs ?? [];
  const reading = runs('all reading: p99 of the others');
  const ratios = runs(`${label}: p99 of the others`).map((value, window) => value / (reading[window] ?? Number.NaN));
  return {
    figures: [...figures.list(), { name: 'p99 of the others, ratio', unit: '', runs: ratios, median: median(ratios) }],
    targets: [
      target('p99 of the others, ratio', median(ratios), 'at most', 1.2),
      target('bytes of its session', Math.max(...runs(`${label}: bytes that its session owns`)), 'at most', 262_144),
      target('times that it was disconnected', Math.max(...runs(`${label}: disconnected`)), 'at most', 0),
    ],
  };
}
