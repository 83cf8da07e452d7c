/**
 * A pattern in which `*` stands for any run of characters, `::` included; it must cover the whole text. Takes the leftmost place of each
 * part, so no pattern makes it try again.
 */
export class Wildcard {
  readonly #head: string;
  readonly #middle: readonly string[];
  /** `undefined`: there is no `*`, the head is the whole text. */
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
