/**
 * A pattern in which `*` matches any characters, including `::`. The pattern must match the whole text. The matcher takes the leftmost
 * position of each literal part and never goes back, so no pattern is slow.
 */
export class Wildcard {
  readonly #head: string;
  readonly #middle: readonly string[];
  /** The text after the last `*`. `undefined` means that the pattern has no `*`, and `#head` is the whole text. */
  readonly #tail: string | undefined;

  constructor(pattern: string) {
    const [head = '', ...rest] = pattern.split('*');
    this.#head = head;
    this.#tail = rest.pop();
    this.#middle = rest.filter((part) => part !== '');
  }

  matches(text: string): boolean {
    const tail = this.#tail;
    if (tail === undefined) return text === this.#head;
    if (!text.startsWith(this.#head)) return false;
    const end = text.length - tail.length;
    let at = this.#head.length;
    for (const part of this.#middle) {
      const found = text.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= end && text.endsWith(tail);
  }
}
