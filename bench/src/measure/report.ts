import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import type { Figure, ScenarioResult, Target } from '../scenario.js';

/** The machine and the versions that figures depend on, beside the code. */
export interface BenchEnvironment {
  readonly date: string;
  readonly commit: string;
  readonly command: string;
  readonly node: string;
  readonly kernel: string;
  readonly processor: string;
  readonly processors: number;
  readonly memoryGiB: number;
}

export function benchEnvironment(command: string): BenchEnvironment {
  return {
    date: new Date().toISOString(),
    commit: commitOfHead(),
    command,
    node: process.version,
    kernel: release(),
    processor: cpus()[0]?.model ?? 'unknown',
    processors: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}

function commitOfHead(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

export function markdown(results: readonly ScenarioResult[], where: BenchEnvironment): string {
  const lines = [
    '# Benchmarks',
    '',
    `\`${where.command}\`, ${where.date}, commit ${where.commit}, Node ${where.node}, Linux ${where.kernel},`,
    `${where.processors} × ${where.processor}, ${where.memoryGiB} GiB. Servers are pinned to one processor, the load to another.`,
    'The servers take turns. Each figure is the median of its runs, and the column Runs has them all. p99: 99 of 100 values are at most this.',
    'The load is the program that plays the clients. Other programs share the machine, so trust ratios more than single figures.',
  ];
  for (const result of results) lines.push('', ...section(result));
  return `${lines.join('\n')}\n`;
}

function section({ title, figures, targets, notes }: ScenarioResult): string[] {
  return [
    `## ${title}`,
    '',
    '| Promise | Bound | Measured | |',
    '|---|---|---|---|',
    ...targets.map(targetRow),
    '',
    '| Figure | Median | Runs |',
    '|---|---|---|',
    ...figures.map(figureRow),
    '',
    ...notes,
  ];
}

function targetRow({ name, sense, bound, measured, met }: Target): string {
  return `| ${name} | ${sense} ${readable(bound)} | ${readable(measured)} | ${met ? 'met' : '**missed**'} |`;
}

function figureRow({ name, unit, runs, median }: Figure): string {
  const withUnit = unit === '' ? readable(median) : `${readable(median)} ${unit}`;
  return `| ${name} | ${withUnit} | ${runs.map(readable).join(', ')} |`;
}

/** Returns the number with three significant digits and separated thousands. */
function readable(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}
