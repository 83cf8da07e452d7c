/**
 * Reads a source in chunks of `size`; the event loop may run between two of them. `done` runs when the last was taken, or the reader stops.
 * An empty source yields no chunk.
 */
export async function* chunked<T>(source: Iterable<T>, size: number, done: () => void): AsyncIterable<readonly T[]> {
  try {
    let chunk: T[] = [];
    for (const entry of source) {
      chunk.push(entry);
      if (chunk.length < size) continue;
      yield chunk;
      chunk = [];
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (chunk.length > 0) yield chunk;
  } finally {
    done();
  }
}
