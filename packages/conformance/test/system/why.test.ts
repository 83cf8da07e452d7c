import { askWhy, SEEDED_CAUSES } from '@rivulet/testkit/why/seeded-causes';
import { describe, expect, it } from 'vitest';

describe('GET /api/why names the cause', () => {
  for (const { name, cause, detail, seed } of SEEDED_CAUSES) {
    it(`${name}: ${cause}`, async () => {
      const { engine, question } = await seed();
      const answer = await askWhy(engine, question);
      expect(answer).toMatchObject({ cause, detail });
      expect(answer.text.length).toBeGreaterThan(20);
    });
  }
});
