/** Weight at which a chunk ends, even if it has fewer entries than its size. */
export const MOST_WEIGHT = 262_144;

/**
 * Yields the entries of a source in chunks, and lets the event loop turn between two chunks. A chunk has `size` entries, or fewer when
 * their weight exceeds `MOST_WEIGHT`. An empty source yields no chunk. The generator calls `done` after the last chunk, or when its reader
 * stops.
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
