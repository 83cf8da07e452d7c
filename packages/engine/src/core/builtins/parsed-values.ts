import type { JsonText } from '@rivulet/protocol';

/** Length from which on a text is kept. Parsing a shorter text again costs less than its place here. */
const LEAST_CHARS = 4_096;
const MOST_VALUES = 8;
const MOST_CHARS = 16_000_000;
/** Milliseconds for which values are kept after the last use. */
const KEPT_MS = 1_000;

/**
 * Keeps the parsed form of large values of the latest updates. Consecutive updates of one item then work on one parsed value, and the
 * text is parsed once.
 *
 * A value is found by its whole text, so it can't be outdated. A store that repeats an update, or applies it elsewhere, finds nothing and
 * parses the text.
 */
export class ParsedValues {
  /** Kept values, the latest last. */
  readonly #kept: { readonly text: JsonText; readonly value: unknown }[] = [];
  #chars = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Returns the parsed value of a text and forgets it, so that the caller may change it. `undefined` when it is not kept. */
  take(text: JsonText): { readonly value: unknown } | undefined {
    if (text.length < LEAST_CHARS) return undefined;
    // Texts of one length are compared in full only when they are equal, or nearly equal.
    const at = this.#kept.findLastIndex((each) => each.text === text);
    if (at < 0) return undefined;
    const [found] = this.#kept.splice(at, 1);
    this.#chars -= text.length;
    return found;
  }

  /** Keeps a value. The caller must not change it from now on. */
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
