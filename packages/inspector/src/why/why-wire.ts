import { decode, type Infer, json, mapOf, number, object, optional, text } from '../wire/decoder.js';

/** The answer of `/api/why`. docs/why.md lists the causes and their details. A newer engine may have further causes. */
export const decodeWhyAnswer = object({
  cause: text,
  at: optional(number),
  offset: optional(number),
  detail: mapOf(json),
});
export type WhyAnswer = Infer<typeof decodeWhyAnswer>;

/** Reads the details of an answer. A detail that is absent, or of another type, is left out of the sentence. */
export class Details {
  readonly #detail: ReadonlyMap<string, unknown>;

  constructor({ detail }: WhyAnswer) {
    this.#detail = detail;
  }

  text(name: string): string | undefined {
    const value = this.#detail.get(name);
    return typeof value === 'string' ? value : undefined;
  }

  number(name: string): number | undefined {
    const value = this.#detail.get(name);
    return typeof value === 'number' ? value : undefined;
  }

  isTrue(name: string): boolean {
    return this.#detail.get(name) === true;
  }

  isFalse(name: string): boolean {
    return this.#detail.get(name) === false;
  }

  texts(name: string): readonly string[] {
    return this.#list(name).filter((entry) => typeof entry === 'string');
  }

  /** Returns the joins of a session as `stream/group` or `stream/group, item id`. */
  joins(name: string): readonly string[] {
    return this.#list(name).flatMap((entry) => {
      const join = decode(decodeJoin, entry);
      if (join.kind !== 'ok') return [];
      const { stream, group, item } = join.value;
      return [`${stream}/${group}${item === undefined ? '' : `, item ${item}`}`];
    });
  }

  /** Returns an answer inside the answer. */
  answer(name: string): WhyAnswer | undefined {
    return answerOf(this.#detail.get(name));
  }

  answers(name: string): readonly WhyAnswer[] {
    return this.#list(name).flatMap((entry) => answerOf(entry) ?? []);
  }

  #list(name: string): readonly unknown[] {
    const value = this.#detail.get(name);
    return Array.isArray(value) ? value : [];
  }
}

const decodeJoin = object({ stream: text, group: text, item: optional(text) });

function answerOf(value: unknown): WhyAnswer | undefined {
  const decoded = decode(decodeWhyAnswer, value);
  return decoded.kind === 'ok' ? decoded.value : undefined;
}
