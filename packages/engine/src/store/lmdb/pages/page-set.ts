/** A set of page numbers, as one bit for each page. */
export class PageSet {
  readonly #bits: Uint8Array;
  size = 0;

  /** `pages`: numbers from here on are not in the set. */
  constructor(pages: number) {
    this.#bits = new Uint8Array(Math.ceil(pages / 8));
  }

  has(page: number): boolean {
    return ((this.#bits[Math.floor(page / 8)] ?? 0) & (1 << (page % 8))) !== 0;
  }

  /** Adds a page. Returns false when the set has it already. */
  add(page: number): boolean {
    if (this.has(page)) return false;
    const at = Math.floor(page / 8);
    this.#bits[at] = (this.#bits[at] ?? 0) | (1 << (page % 8));
    this.size++;
    return true;
  }
}
