import { type JsonText, RivuletError } from '@rivulet/protocol';
import type { TurnBudget } from '../../structures/turn-budget.js';

/** Entries after which the writer of a list checks the length of its turn. */
const ENTRIES_PER_CHECK = 32;

/**
 * Returns an object as JSON. Throws RESULT_TOO_LARGE as soon as the text is longer than `maxBytes`. An array in a member is written entry
 * by entry, because lists of registrations may be much longer than a message.
 */
export function boundedText(value: object, maxBytes: number): JsonText {
  const text = new BoundedText(maxBytes);
  for (const piece of piecesOf(value)) text.add(piece);
  return text.whole;
}

/** Returns the same text, written in several turns of the event loop when one turn would be long. Rejects where `boundedText` throws. */
export async function boundedTextInTurns(value: object, maxBytes: number, turns: TurnBudget): Promise<JsonText> {
  const text = new BoundedText(maxBytes);
  let untilCheck = ENTRIES_PER_CHECK;
  for (const piece of piecesOf(value)) {
    text.add(piece);
    if (--untilCheck > 0) continue;
    untilCheck = ENTRIES_PER_CHECK;
    await turns.free();
  }
  return text.whole;
}

class BoundedText {
  readonly #maxBytes: number;
  readonly #pieces: JsonText[] = [];
  #chars = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Throws RESULT_TOO_LARGE. */
  add(piece: JsonText): void {
    this.#chars += piece.length;
    // A UTF-16 code unit takes at least one byte.
    if (this.#chars > this.#maxBytes) throw tooLarge(this.#maxBytes);
    this.#pieces.push(piece);
  }

  get whole(): JsonText {
    return this.#pieces.join('');
  }
}

/** Yields the pieces of an object's JSON text in order. */
function* piecesOf(value: object): Generator<JsonText> {
  let before = '{';
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const name = `${before}${JSON.stringify(key)}:`;
    before = ',';
    if (!Array.isArray(member)) {
      yield `${name}${JSON.stringify(member)}`;
      continue;
    }
    yield `${name}[`;
    for (const [index, entry] of member.entries()) yield `${index === 0 ? '' : ','}${JSON.stringify(entry ?? null)}`;
    yield ']';
  }
  yield before === '{' ? '{}' : '}';
}

function tooLarge(maxBytes: number): RivuletError {
  return new RivuletError(
    'RESULT_TOO_LARGE',
    `the list is larger than the caller's message limit of ${maxBytes} bytes; ask for less of it`,
  );
}
