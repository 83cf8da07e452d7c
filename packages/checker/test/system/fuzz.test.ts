import { Random } from '@rivulet/testkit/random';
import { describe, expect, it } from 'vitest';
import { adminRequest } from '../../src/fuzz/admin-requests.js';
import { readFuzzArguments } from '../../src/fuzz/arguments.js';
import { type CampaignOptions, runCampaign } from '../../src/fuzz/campaign.js';
import { broken, message } from '../../src/fuzz/frames.js';
import { httpRequest, readRequest, upgradeHead } from '../../src/fuzz/heads.js';
import { STREAM_SEEDS, WORKER_SEEDS } from '../../src/fuzz/seeds.js';
import { mutated } from '../../src/fuzz/strange.js';
import { STORES } from '../../src/fuzz/target.js';

const campaign = (options: Partial<CampaignOptions>) =>
  runCampaign({ seed: 1, from: 0, messages: 50_000, roundMessages: 25_000, stores: STORES, say: () => {}, ...options });

describe('S27 hostile messages to every listener, over every store', () => {
  const seed = Number(process.env.RIVULET_SEED ?? 20_261);

  it.each([
    ['seed 1', 1, 150_000],
    [`seed ${seed}`, seed, 150_000],
  ])(
    'end no process, leave no rejection and cost the innocent client no change: %s',
    async (_what, given, messages) => {
      const result = await campaign({ seed: given, messages });
      expect(result.faults).toEqual([]);
      expect(result.messages).toBeGreaterThanOrEqual(messages);
      expect(result.innocent).toBeGreaterThan(0);
    },
    600_000,
  );
});

// The bounds are numbers of messages that reach a session, so a busy machine takes longer and misses nothing.
describe('the fuzzer finds', () => {
  const found = async (options: Partial<CampaignOptions>) => (await campaign({ stores: ['memory'], ...options })).faults.join('\n');

  it('an unhandled rejection (E1)', async () => {
    // One message of a stream client in a thousand is such a one. The campaign stops at the first.
    const options = { fault: 'unhandled-rejection', peers: ['stream'], messages: 40_000, roundMessages: 40_000 } as const;
    expect(await found(options)).toMatch(/the engine ended with 1: [^]*URIError/);
  });

  it('an unhandled rejection by way of the admin listener', async () => {
    const options = { fault: 'unhandled-rejection', peers: ['live'], messages: 40_000, roundMessages: 40_000 } as const;
    expect(await found(options)).toMatch(/the engine ended with 1: [^]*URIError/);
  });

  it('a change that is lost', async () => {
    expect(await found({ fault: 'lost-change', messages: 1_000 })).toMatch(/the innocent client did not see \d+/);
  });

  it('a throw that a boundary catches', async () => {
    // One message of a worker in eight is such a one.
    expect(await found({ fault: 'caught-throw', peers: ['worker'], messages: 1_000 })).toContain('a deliberate fault');
  });

  it('memory that is never given back', async () => {
    const options = { fault: 'leak', releaseMs: 0, peers: ['stream'], messages: 9_000, roundMessages: 3_000 } as const;
    expect(await found(options)).toMatch(/the heap over memory grew/);
  });
});

describe('a seed', () => {
  it('makes the same messages each time, and another one makes others', () => {
    const all = (seed: number) => {
      const random = new Random(seed);
      const texts = [...STREAM_SEEDS, ...WORKER_SEEDS].flatMap(() => [mutated(STREAM_SEEDS, random), mutated(WORKER_SEEDS, random)]);
      const bytes = texts.flatMap((text) => [
        message(text, random),
        broken(text, random),
        httpRequest(random),
        readRequest(random),
        adminRequest(random),
      ]);
      return [...texts, ...bytes.map((part) => part.toString('latin1')), upgradeHead('/', random, true)];
    };
    expect(all(7)).toEqual(all(7));
    expect(all(7)).not.toEqual(all(8));
  });
});

describe('the arguments', () => {
  it('are read, and what makes no sense is refused', () => {
    expect(readFuzzArguments(['--messages', '10', '--from', '3', '--store', 'lmdb'], 5)).toMatchObject({
      messages: 10,
      seed: 5,
      from: 3,
      stores: ['lmdb'],
    });
    for (const wrong of [
      ['--messages', 'x'],
      ['--store', 'sql'],
      ['--fault', 'none'],
    ])
      expect(() => readFuzzArguments(wrong, 1)).toThrow(/must be|there is no/);
  });
});
