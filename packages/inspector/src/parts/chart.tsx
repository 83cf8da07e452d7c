import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';

export interface ChartProps {
  readonly title: string;
  /** Explains the figure below its title. @default none */
  readonly note?: string;
  /** Unix milliseconds of the values. */
  readonly times: readonly number[];
  readonly values: readonly number[];
  /** Returns the text of a value, such as `12.5 MiB`. */
  readonly format: (value: number) => string;
  /** The least upper end of the scale, so that a quiet chart does not look busy. */
  readonly atLeast: number;
  /** Whether the marks of the scale are powers of two, as for bytes. @default false */
  readonly isBinary?: boolean;
}

const HEIGHT = 120;
/** Seconds that a chart shows. */
const SHOWN_S = 300;
/** Steps between marks of bytes. */
const POWERS = Array.from({ length: 40 }, (_, power) => 2 ** power);
/** Charts with this key show the same moment under the pointer. */
const SYNC = 'time';

/**
 * A chart of one figure over time, and its newest value as text. The value under the pointer takes the place of the newest one. A screen
 * reader gets the text, which says as much as the chart. New values cause one redraw of the canvas, and no new elements.
 */
export function Chart({ title, note, times, values, format, atLeast, isBinary = false }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const settings = useRef({ format, atLeast, isBinary });
  settings.current = { format, atLeast, isBinary };
  const [pointed, setPointed] = useState<number | null>(null);

  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const made = new uPlot(optionsFor(element, settings, setPointed), [[], []], element);
    plot.current = made;
    const resize = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    resize.observe(element);
    // The canvas keeps the colours with which it was drawn.
    const recolor = () => made.redraw(false);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', recolor);
    const themes = new MutationObserver(recolor);
    themes.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => {
      resize.disconnect();
      themes.disconnect();
      scheme.removeEventListener('change', recolor);
      made.destroy();
    };
  }, []);

  useEffect(() => {
    plot.current?.setData([times.map((ms) => ms / 1_000), [...values]]);
  }, [times, values]);

  const newest = values.at(-1);
  const shown = pointed === null ? newest : values[pointed];
  return (
    <figure className="chart card">
      <figcaption>
        <span className="chart-title" title={note}>
          {title}
        </span>
        <span className="chart-value">{shown === undefined ? '–' : format(shown)}</span>
      </figcaption>
      <div className="chart-canvas" ref={place} aria-hidden="true">
        <i className="chart-line" />
        <i className="chart-grid" />
      </div>
    </figure>
  );
}

type Settings = React.RefObject<Required<Pick<ChartProps, 'format' | 'atLeast' | 'isBinary'>>>;

function optionsFor(element: HTMLElement, settings: Settings, point: (index: number | null) => void): uPlot.Options {
  const colorOf = (name: string) => {
    const probe = element.querySelector(`.${name}`);
    return probe === null ? '#888' : getComputedStyle(probe).color;
  };
  const line = () => colorOf('chart-line');
  const axis = { stroke: () => colorOf('chart-grid'), font: '11px system-ui, sans-serif', ticks: { show: false }, gap: 6 };
  const grid = { stroke: () => colorOf('chart-grid'), width: 0.25 };
  return {
    width: Math.max(element.clientWidth, 1),
    height: HEIGHT,
    padding: [8, 0, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: SYNC }, points: { size: 7 } },
    scales: {
      x: { time: true, range: (_plot, _first, last) => [(last ?? 0) - SHOWN_S, last ?? 0] },
      y: { range: (_plot, _low, high) => [0, Math.max(high ?? 0, settings.current.atLeast) * 1.1] },
    },
    series: [
      {},
      {
        stroke: line,
        width: 1.5,
        fill: () => line().replace(/^rgb\((.*)\)$/, 'rgba($1, 0.12)'),
        points: { show: false },
      },
    ],
    axes: [
      { ...axis, size: 22, space: 50, incrs: [60, 120, 300], grid: { show: false }, values: (_plot, seconds) => seconds.map(clockText) },
      {
        ...axis,
        size: 56,
        space: 34,
        grid,
        ...(settings.current.isBinary ? { incrs: POWERS } : {}),
        values: (_plot, values) => values.map((value) => settings.current.format(value)),
      },
    ],
    hooks: { setCursor: [(plot) => point(plot.cursor.idx ?? null)] },
  };
}

const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

function clockText(seconds: number): string {
  return CLOCK.format(seconds * 1_000);
}
