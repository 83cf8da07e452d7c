/** The totals of metrics by their names. A metric with labels counts as the sum of its series. */
export type MetricTotals = ReadonlyMap<string, number>;

/** Reads the metrics `names` from the text format of Prometheus. Other metrics are skipped. */
export function readTotals(text: string, names: readonly string[]): MetricTotals {
  const wanted = new Set(names);
  const totals = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name = '', value = ''] = /^([a-zA-Z_:][\w:]*)(?:\{.*\})? (\S+)/.exec(line) ?? [];
    const amount = Number(value);
    if (wanted.has(name) && Number.isFinite(amount)) totals.set(name, (totals.get(name) ?? 0) + amount);
  }
  return totals;
}
