import { Chart, type ChartProps } from '../parts/chart.js';
import { bytes, count, shortCount } from '../parts/figures.js';
import type { Figure, Samples } from './overview-wire.js';

interface Plotted extends Pick<ChartProps, 'title' | 'note' | 'format' | 'atLeast' | 'isBinary'> {
  readonly figure: Figure;
}

const perSecond = (value: number) => `${shortCount(value)}/s`;

/** The charts in reading order: rates first, then what waits, then the process. */
const CHARTS: readonly Plotted[] = [
  { figure: 'changes', title: 'Changes', note: 'Changes of groups that clients watch', format: perSecond, atLeast: 10 },
  {
    figure: 'deliveries',
    title: 'Deliveries',
    note: 'Flushes handed to live clients, once for each client',
    format: perSecond,
    atLeast: 10,
  },
  { figure: 'bytes', title: 'Bytes delivered', format: (value) => `${bytes(value)}/s`, atLeast: 1_024, isBinary: true },
  { figure: 'calls', title: 'Calls', note: 'Calls of functions', format: perSecond, atLeast: 10 },
  { figure: 'connections', title: 'Stream clients', format: shortCount, atLeast: 10 },
  { figure: 'groups', title: 'Watched groups', note: 'Groups with a log in memory', format: shortCount, atLeast: 10 },
  {
    figure: 'lagging',
    title: 'Readers behind',
    note: 'Subscriptions whose client lacks the newest change',
    format: shortCount,
    atLeast: 10,
  },
  {
    figure: 'unsent_bytes',
    title: 'Bytes waiting',
    note: 'Bytes that the sockets of clients have not taken',
    format: bytes,
    atLeast: 1_024,
    isBinary: true,
  },
  {
    figure: 'loop_delay_ms',
    title: 'Event loop delay',
    note: 'The longest delay in each second',
    format: (ms) => `${count(ms)} ms`,
    atLeast: 20,
  },
  { figure: 'cpu', title: 'Processor', note: 'The share of one core', format: (share) => `${Math.round(share * 100)} %`, atLeast: 0.2 },
];

export function Charts({ samples }: { readonly samples: Samples }) {
  return (
    <section aria-labelledby="charts">
      <h2 id="charts" className="section-title">
        Last five minutes
      </h2>
      <div className="charts">
        {CHARTS.map(({ figure, ...chart }) => (
          <Chart key={figure} {...chart} times={samples.at_ms} values={samples[figure]} />
        ))}
      </div>
    </section>
  );
}
