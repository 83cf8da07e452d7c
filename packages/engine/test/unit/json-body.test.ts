import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readLargeJson, readSmallJson } from '../../src/http/request/json-body.js';
import { TurnBudget } from '../../src/structures/turn-budget.js';

const turns = new TurnBudget(() => performance.now());

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}

/** Expects the text unchanged, whatever its characters, and wherever the slices end. */
async function expectExact(bytes: Buffer) {
  const text = isJson(bytes) ? bytes.toString() : 'null';
  expect(readSmallJson(bytes)).toMatchObject({ kind: 'body', text });
  expect(await readLargeJson(bytes, turns)).toMatchObject({ kind: 'body', text });
}

it('takes exactly what JSON.parse takes', async () => {
  const bytes = fc.oneof(
    fc.json({ maxDepth: 5, stringUnit: 'binary' }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 30 }).map((array) => Buffer.from(array)),
    fc
      .array(fc.constantFrom('[', ']', '{', '}', '"', ':', ',', '1', '-', 'e5', 'true', '\\u00', ' ', '\ufeff'), { maxLength: 12 })
      .map((parts) => Buffer.from(parts.join(''))),
  );
  await fc.assert(fc.asyncProperty(bytes, expectExact), { numRuns: 300 });
});

it.each(['x', 'é', '☃', '😀'])('cuts no character between two slices: %s', async (character) => {
  for (let offset = 0; offset < 4; offset++) await expectExact(Buffer.from(`"${'x'.repeat(offset)}${character.repeat(200_000)}"`));
});
