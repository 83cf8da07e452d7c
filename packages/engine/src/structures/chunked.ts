/** Weight at which a chunk ends, before it has `size` entries. */
export const MOST_WEIGHT = 262_144;

/**
 * Reads a source in chunks of `size`, or of fewer entries that are heavy; the event loop may run between two of them. `done` runs when the last was taken, or the reader stops.
 * An empty source yields no chunk.
 */
export async function* chunked<T>(
  source: Iterable<T>,
  size: number,
  done: () => void,
  weigh: (entry: T) => number = () => 0,
): AsyncIterable<readonly T[]> {
  try {
    let chunk: T[] = [];
    let weight = 0;
    for (const entry of source) {
      chunk.push(entry);
      weight += weigh(entry);
      if (chunk.length < size && weight < MOST_WEIGHT) continue;
      yield chunk;
      chunk = [];
      weight = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (chunk.length > 0) yield chunk;
  } finally {
    done();
  }
}
