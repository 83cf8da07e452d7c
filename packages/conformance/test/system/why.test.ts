import { directoryWith } from '@rivulet/testkit/directory-with';
import { run } from '@rivulet/testkit/engines/cli-process';
import { startTestEngine, type TestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { askWhy, SEEDED_CAUSES, SMALL_RINGS, sessionOf, type WhyQuestion, type WhyReply } from '@rivulet/testkit/why/seeded-causes';
import { describe, expect, it } from 'vitest';

/** Asks by the command. */
async function whyCommand({ adminUrl }: TestEngine, { session, stream, group, item, offset }: WhyQuestion) {
  const words = [
    'why',
    session,
    stream,
    group,
    ...(item === undefined ? [] : [item]),
    ...(offset === undefined ? [] : ['--offset', `${offset}`]),
  ];
  const [json, text] = await Promise.all(
    [['--json'], []].map((more) => run([...words, ...more], directoryWith(), { RIVULET_ADMIN_URL: adminUrl })),
  );
  expect({ code: json?.code, stderr: json?.stderr }).toEqual({ code: 0, stderr: '' });
  return { answer: JSON.parse(json?.stdout ?? '') as WhyReply, text: text?.stdout ?? '' };
}

describe('API and command name the cause', () => {
  for (const { name, cause, detail, seed } of SEEDED_CAUSES) {
    it(`${name}: ${cause}`, async () => {
      const { engine, question } = await seed();
      const answer = await askWhy(engine, question);
      expect(answer).toMatchObject({ cause, detail });
      const command = await whyCommand(engine, question);
      expect(command.answer).toMatchObject({ ok: true, cause, detail });
      expect(command.text.split('\n')[0]).toBe(cause);
      // The time for which the store is unavailable goes on from one answer to the next.
      expect(command.text.replaceAll(/\d+/g, 'N')).toContain(answer.text.replaceAll(/\d+/g, 'N'));
    });
  }
});

describe('API and command say that the cause is not known any more, when its ring is overrun', () => {
  for (const { name, lose, seed } of SEEDED_CAUSES) {
    if (lose === undefined) continue;
    it(`${name}: ${lose.missing}`, async () => {
      const seeded = await seed(SMALL_RINGS);
      await lose.run(seeded);
      const expected = { cause: 'not_known_any_more', detail: { missing: lose.missing, known_since_ms: expect.any(Number) } };
      expect(await askWhy(seeded.engine, seeded.question)).toMatchObject(expected);
      const command = await whyCommand(seeded.engine, seeded.question);
      expect(command.answer).toMatchObject(expected);
      expect(command.text).toMatch(/^not_known_any_more\nNot known any more: /);
    });
  }

  for (const { name, cause, detail, lose, seed } of SEEDED_CAUSES) {
    if (lose !== undefined) continue;
    it(`${name}: the engine reads it from its state, so it is still ${cause}`, async () => {
      const { engine, question } = await seed(SMALL_RINGS);
      expect(await askWhy(engine, question)).toMatchObject({ cause, detail });
    });
  }
});

it('an engine that was started again knows neither the sessions of before nor the reasons of deletes', async () => {
  const path = `${directoryWith()}/streams`;
  const adapter = { kind: 'lmdb', path, durability: 'commit', saveIntervalMs: 5_000 } as const;
  const place = { stream: 'chat', group: 'lobby' };
  const room = { stream_name: 'chat', group_id: 'lobby' };
  const join = async (engine: TestEngine) => {
    const client = await StreamSocket.open(`${engine.streamUrl}/stream/chat/lobby`);
    await client.take('sync');
    return sessionOf(engine);
  };
  const first = await startTestEngine({ admin: {}, stream: { adapter } });
  const worker = await RawWorker.connect(first.workerUrl);
  const session = await join(first);
  await worker.result('stream::set', { ...room, item_id: 'm1', data: 1 });
  await worker.result('stream::set', { ...room, item_id: 'm2', data: 2 });
  await worker.result('stream::delete', { ...room, item_id: 'm1' });
  expect(await askWhy(first, { session, ...place, item: 'm1' })).toMatchObject({ cause: 'deleted_by_call' });
  await first.stop();
  const second = await startTestEngine({ admin: {}, stream: { adapter } });
  expect(await askWhy(second, { session, ...place })).toMatchObject({
    cause: 'not_known_any_more',
    detail: { missing: 'session', of_another_run: true },
  });
  const again = await join(second);
  expect(await askWhy(second, { session: again, ...place, item: 'm1' })).toMatchObject({
    cause: 'not_known_any_more',
    detail: { missing: 'cause_of_delete', otherwise: { cause: 'in_sync' } },
  });
  expect(await askWhy(second, { session: again, ...place, item: 'm2' })).toMatchObject({ cause: 'in_sync', offset: 2 });
  expect(await askWhy(second, { session: again, ...place, item: 'm9' })).toMatchObject({ cause: 'never_written' });
});
