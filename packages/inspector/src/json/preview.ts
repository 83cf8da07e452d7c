/** Returns the beginning of a value as JSON in one line, at most about `chars` long. A large value costs no more than a small one. */
export function preview(value: unknown, chars: number): string {
  const writer = new Preview(chars);
  writer.add(value, 0);
  return writer.text;
}

const MOST_DEPTH = 16;

class Preview {
  text = '';
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /** Adds a value. Returns false when there is no room for more. */
  add(value: unknown, depth: number): boolean {
    if (typeof value === 'string') return this.#write(quote(value, this.#most));
    if (typeof value !== 'object' || value === null) return this.#write(String(value));
    if (depth > MOST_DEPTH) return this.#write('…');
    if (Array.isArray(value)) return this.#list('[', ']', value, (entry) => this.add(entry, depth + 1));
    const given = value as Readonly<Record<string, unknown>>;
    return this.#list('{', '}', keysOf(given), (key) => this.#write(`${quote(key, this.#most)}: `) && this.add(given[key], depth + 1));
  }

  #list<T>(open: string, close: string, entries: Iterable<T>, add: (entry: T) => boolean): boolean {
    if (!this.#write(open)) return false;
    let isFirst = true;
    for (const entry of entries) {
      if (!isFirst && !this.#write(', ')) return false;
      isFirst = false;
      if (!add(entry)) return false;
    }
    return this.#write(close);
  }

  #write(text: string): boolean {
    this.text += text;
    if (this.text.length < this.#most) return true;
    this.text = `${this.text.slice(0, this.#most)}…`;
    return false;
  }
}

/** Yields the names of an object one by one, so that a large object is not listed for its first names. */
function* keysOf(value: Readonly<Record<string, unknown>>): Generator<string> {
  for (const key in value) if (Object.hasOwn(value, key)) yield key;
}

function quote(text: string, most: number): string {
  return JSON.stringify(text.length > most ? text.slice(0, most) : text);
}
