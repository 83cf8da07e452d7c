/** Texts for numbers, sizes and times, the same on all pages. */

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const FINE = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const DAY_MS = 86_400_000;
/** The longest time that a `Date` holds. */
const MOST_MS = 8.64e15;

/** `12,480`, and `3.2` for a small number that is not whole. */
export function count(value: number): string {
  return Math.abs(value) < 100 ? FINE.format(value) : WHOLE.format(value);
}

/** `12.5K`, for places with little room. */
export function shortCount(value: number): string {
  return SHORT.format(value);
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `1.5 MiB`. */
export function bytes(value: number): string {
  const power = value < 1 ? 0 : Math.min(Math.floor(Math.log2(value) / 10), BYTE_UNITS.length - 1);
  return `${count(value / 1024 ** power)} ${BYTE_UNITS[power]}`;
}

/** `850 ms`, `12.4 s`, `3 min 20 s`, `5 h 2 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${count(ms)} ms`;
  if (ms < 60_000) return `${count(ms / 1_000)} s`;
  if (ms < 3_600_000) return pair(ms, 60_000, 'min', 1_000, 's');
  return ms < DAY_MS ? pair(ms, 3_600_000, 'h', 60_000, 'min') : pair(ms, DAY_MS, 'd', 3_600_000, 'h');
}

function pair(ms: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${WHOLE.format(Math.floor(ms / large))} ${largeUnit}${rest === 0 ? '' : ` ${rest} ${smallUnit}`}`;
}

/** `14:03:27`, with the day if it is not today. */
export function time(ms: number, now: number = Date.now()): string {
  if (Math.abs(ms) > MOST_MS) return '–';
  const clock = CLOCK.format(ms);
  return DAY.format(ms) === DAY.format(now) ? clock : `${DAY.format(ms)}, ${clock}`;
}

/** `1 group`, `2 groups`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
