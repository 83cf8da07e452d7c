import { expect, it } from 'vitest';
import { MOST_REQUESTS, PageFill } from '../../src/parts/row-pages.js';

/** Answers the requests of a page one after another. Returns the page, and the requests. */
function fill(limit: number, answers: (index: number) => { rows: string[]; next: string | undefined }) {
  const page = new PageFill<string>('start', limit);
  const asked: { after: string | undefined; limit: number }[] = [];
  for (;;) {
    const step = page.step();
    if (step.kind === 'done') return { page: step.page, asked };
    asked.push({ after: step.after, limit: step.limit });
    page.add(answers(asked.length - 1));
  }
}

it('a full answer is a page', () => {
  const { page, asked } = fill(2, () => ({ rows: ['a', 'b'], next: 'b' }));
  expect(page).toEqual({ rows: ['a', 'b'], next: 'b' });
  expect(asked).toEqual([{ after: 'start', limit: 2 }]);
});

it('a short answer without a successor is the last page', () => {
  expect(fill(2, () => ({ rows: ['a'], next: undefined })).page).toEqual({ rows: ['a'], next: undefined });
});

it('a short answer with a successor is filled up from there', () => {
  const answers = [
    { rows: ['a'], next: 'k' },
    { rows: [], next: 'p' },
    { rows: ['q', 'r'], next: 'r' },
  ];
  const { page, asked } = fill(3, (index) => answers[index] ?? { rows: [], next: undefined });
  expect(page).toEqual({ rows: ['a', 'q', 'r'], next: 'r' });
  expect(asked).toEqual([
    { after: 'start', limit: 3 },
    { after: 'k', limit: 2 },
    { after: 'p', limit: 2 },
  ]);
});

it('a search without a match stops after a bounded number of requests, and can go on', () => {
  const { page, asked } = fill(50, (index) => ({ rows: [], next: `cursor-${index}` }));
  expect(asked).toHaveLength(MOST_REQUESTS);
  expect(page).toEqual({ rows: [], next: `cursor-${MOST_REQUESTS - 1}` });
});
