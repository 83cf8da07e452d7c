import type { JsonText } from '@rivulet/protocol';

/** Shorter texts are parsed again: it costs less than a place here. */
const LEAST_CHARS = 4_096;
const MOST_VALUES = 8;
const MOST_CHARS = 16_000_000;
/** Milliseconds after the last use. */
const KEPT_MS = 1_000;

/**
 * Keeps the parsed form of the large values that updates wrote last. Updates of one item that follow each other then work on one
 * parsed value: each finds the value of the update before it, and the text is parsed once.
 *
 * A value is found by its whole text, so it can't be outdated: a store that does an update again, or elsewhere, finds nothing and parses.
 */
export class ParsedValues {
  /** The latest last. */
  readonly #kept: { readonly text: JsonText; readonly value: unknown }[] = [];
  #chars = 0;
  #timer: NodeJS.Timeout | undefined;

  /** The parsed value of a text, which belongs to the caller now and may be changed; `undefined` when it is not kept. */
  take(text: JsonText): { readonly value: unknown } | undefined {
    if (text.length < LEAST_CHARS) return undefined;
    // Texts of the same length are compared as a whole only when one is equal, or nearly so.
    const at = this.#kept.findLastIndex((each) => each.text === text);
    if (at < 0) return undefined;
    const [found] = this.#kept.splice(at, 1);
    this.#chars -= text.length;
    return found;
  }

  /** Keeps a value, which nobody changes from now on. */
  keep(text: JsonText, value: unknown): void {
    if (text.length < LEAST_CHARS || text.length > MOST_CHARS) return;
    this.#kept.push({ text, value });
    this.#chars += text.length;
    while (this.#kept.length > MOST_VALUES || this.#chars > MOST_CHARS) this.#chars -= this.#kept.shift()?.text.length ?? 0;
    this.#timer ??= setTimeout(() => this.#forget(), KEPT_MS).unref();
    this.#timer.refresh();
  }

  #forget(): void {
    this.#timer = undefined;
    this.#kept.length = 0;
    this.#chars = 0;
  }
}
