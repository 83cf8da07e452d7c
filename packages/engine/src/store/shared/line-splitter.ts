/** Joins pieces of text into lines. It searches each piece once, so a long line in many pieces costs time in proportion to its length. */
export class LineSplitter {
  /** The pieces of the line that has no end yet. */
  #begun: string[] = [];
  #chars = 0;

  /** Characters of the line that has no end yet. */
  get chars(): number {
    return this.#chars;
  }

  /** Returns the lines that a piece completes, without their ends. */
  push(piece: string): string[] {
    const lines = piece.split('\n');
    const begin = lines.pop() ?? '';
    if (lines.length > 0) lines[0] = this.end() + (lines[0] ?? '');
    if (begin !== '') this.#begun.push(begin);
    this.#chars += begin.length;
    return lines;
  }

  /** Returns the line that has no end yet, and begins a new one. */
  end(): string {
    const line = this.#begun.join('');
    this.#begun = [];
    this.#chars = 0;
    return line;
  }
}
