import { JSON_DEPTH, JSON_NODES } from '../shared-limits.js';
import { MOST_LEVELS, SHORT_TEXT, tooManyKeys, WIDE_OBJECT } from './json-keys.js';
import {
  BACKSLASH,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  EXACT,
  INEXACT,
  isInexactNumber,
  isPartOfNumber,
  type JsonScan,
  MINUS,
  NINE,
  OPEN_ARRAY,
  OPEN_OBJECT,
  PLUS,
  QUOTE,
  TOO_DEEP,
  TOO_MANY_VALUES,
  ZERO,
} from './json-scan.js';

const COLON = 58;
const SPACE = 32;

/** The kind of text at the current place of the scan. */
type Place = 'between' | 'string' | 'after string' | 'number';

/** Does the work of `scanJson` and `exceedsKeys` in one pass and in slices, so that a large text does not block the event loop. */
export class SlicedJsonScan {
  readonly #text: string;
  readonly #mostKeys: number;
  readonly #countsKeys: boolean;
  readonly #keys = new Set<string>();
  /** The members of the open objects, by level. */
  readonly #members = new Uint32Array(MOST_LEVELS);
  #at = 0;
  #place: Place = 'between';
  /** The index at which the string or the number begins, and the index at which the string ends. */
  #start = 0;
  #end = 0;
  /** Whether the number has digits only. */
  #plain = true;
  #inexact = false;
  #depth = 0;
  #nodes = 1;
  /** The same as `#depth`, but never below zero, even if the text closes more than it opens. */
  #level = 0;
  #wide = 0;

  constructor(text: string, mostKeys: number) {
    this.#text = text;
    this.#mostKeys = mostKeys;
    this.#countsKeys = text.length > SHORT_TEXT;
  }

  /** Scans about `chars` more characters. Returns `undefined` until the scan has ended. */
  next(chars: number): JsonScan | undefined {
    const until = Math.min(this.#text.length, this.#at + chars);
    while (this.#at < until) {
      const refused = this.#place === 'between' ? this.#scanBetween(until) : this.#scanToken(until);
      if (refused !== undefined) return refused;
    }
    if (this.#at < this.#text.length) return undefined;
    if (this.#place === 'number') this.#endNumber();
    return this.#inexact ? INEXACT : EXACT;
  }

  #scanToken(until: number): JsonScan | undefined {
    if (this.#place === 'number') this.#scanNumber(until);
    else if (this.#place === 'string') this.#scanString(until);
    else return this.#scanAfterString(until);
    return undefined;
  }

  /** Scans up to the next string or number. */
  #scanBetween(until: number): JsonScan | undefined {
    const text = this.#text;
    let at = this.#at;
    for (; at < until; at++) {
      const code = text.charCodeAt(at);
      if (code === QUOTE || code === MINUS || (code >= ZERO && code <= NINE)) {
        this.#place = code === QUOTE ? 'string' : 'number';
        this.#start = at;
        this.#plain = true;
        at++;
        break;
      }
      if (code === COMMA) {
        this.#nodes++;
      } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
        if (++this.#depth > JSON_DEPTH) return TOO_DEEP;
        // This counts the first child; a comma counts each other child. The code of a closing bracket is two above that of its opening one.
        if (text.charCodeAt(at + 1) !== code + 2) this.#nodes++;
        if (++this.#level >= MOST_LEVELS) return TOO_DEEP;
        this.#members[this.#level] = 0;
      } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
        this.#depth--;
        if (this.#level > 0) this.#level--;
      }
      if (this.#nodes > JSON_NODES) return TOO_MANY_VALUES;
    }
    this.#at = at;
    return undefined;
  }

  #scanNumber(until: number): void {
    const text = this.#text;
    let at = this.#at;
    for (; at < until; at++) {
      const code = text.charCodeAt(at);
      if (code >= ZERO && code <= NINE) continue;
      if (!isPartOfNumber(code)) break;
      if (code !== MINUS && code !== PLUS) this.#plain = false;
    }
    this.#at = at;
    if (at < until) this.#endNumber();
  }

  #endNumber(): void {
    this.#place = 'between';
    if (!this.#inexact) this.#inexact = isInexactNumber(this.#text, this.#start, this.#at, this.#plain);
  }

  #scanString(until: number): void {
    const text = this.#text;
    let at = this.#at;
    while (at < until) {
      const close = text.indexOf('"', at);
      if (close < 0) {
        at = text.length;
        break;
      }
      at = close + 1;
      let backslashes = 0;
      while (text.charCodeAt(close - 1 - backslashes) === BACKSLASH) backslashes++;
      if (backslashes % 2 === 1) continue;
      this.#end = close;
      this.#place = 'after string';
      break;
    }
    this.#at = at;
  }

  /** Scans after a string. If a colon follows, the string is a key. */
  #scanAfterString(until: number): JsonScan | undefined {
    const text = this.#text;
    let at = this.#at;
    while (at < until && text.charCodeAt(at) <= SPACE) at++;
    this.#at = at;
    if (at === until) return undefined;
    this.#place = 'between';
    return this.#countsKeys && text.charCodeAt(at) === COLON ? this.#addKey() : undefined;
  }

  #addKey(): JsonScan | undefined {
    this.#keys.add(this.#text.slice(this.#start + 1, this.#end));
    const count = ((this.#members[this.#level] as number) += 1);
    if (count === WIDE_OBJECT) this.#wide += WIDE_OBJECT;
    else if (count > WIDE_OBJECT) this.#wide++;
    const tooMany = this.#keys.size > this.#mostKeys || this.#wide > this.#mostKeys;
    return tooMany ? { kind: 'refused', reason: tooManyKeys(this.#mostKeys) } : undefined;
  }
}
