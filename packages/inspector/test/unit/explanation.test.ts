import { expect, test } from 'vitest';
import { EXPLANATIONS, explanationOf } from '../../src/why/explanation.js';
import { Details } from '../../src/why/why-wire.js';

const detail = new Map<string, unknown>();

test.each(Object.keys(EXPLANATIONS))('the cause %s has a sentence, even for an answer without details', (cause) => {
  const { title, text, advice } = explanationOf(cause);
  const sentences = [
    title,
    text(new Details({ cause, at: undefined, offset: undefined, detail })),
    advice?.(new Details({ cause, at: undefined, offset: undefined, detail })) ?? '',
  ];
  expect(sentences.join(' ')).not.toMatch(/undefined|NaN|\[object/);
  expect(title).not.toBe('');
});

test('a cause that the page does not know has its name', () => {
  expect(explanationOf('eaten_by_a_dog').title).toBe('eaten by a dog');
  expect(explanationOf('constructor').tone).toBe('info');
});
