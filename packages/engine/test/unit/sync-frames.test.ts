import { describe, expect, it } from 'vitest';
import type { Snapshot, StoredItem } from '../../src/store/store.js';
import { FrameEncoder } from '../../src/stream/frames/frame-encoder.js';
import { renderGroupSync } from '../../src/stream/frames/sync-frames.js';
import { systemClock } from '../../src/structures/clock.js';
import { encodeTextFrame } from '../../src/transport/websocket-frame.js';
import { REF } from '../hub-world.js';

const frames = new FrameEncoder(systemClock, false);
const MOST_FRAGMENT_BYTES = 3 * 32_768 + 14;

function item(n: number, data: string): StoredItem {
  return { item: `i${n}`, data: JSON.stringify(data), created: n, changed: n };
}

async function render(items: readonly StoredItem[], parts: boolean): Promise<Buffer[]> {
  const snapshot: Snapshot = {
    position: { epoch: 'e', offset: 9 },
    timestamp: 1,
    async *chunks() {
      yield items;
    },
    close() {},
  };
  const rendered: Buffer[] = [];
  for await (const frame of renderGroupSync(frames, REF, snapshot, { parts, reason: undefined })) rendered.push(frame);
  return rendered;
}

/** Puts fragments together; fails when a continuation stands alone, or a message is begun and not ended. */
function messages(rendered: readonly Buffer[]): string[] {
  const texts: string[] = [];
  let open: Buffer[] | undefined;
  for (const frame of rendered) {
    const first = frame[0] ?? 0;
    expect((first & 0x0f) === 0).toBe(open !== undefined);
    const length = frame[1] ?? 0;
    const payload = frame.subarray(length < 126 ? 2 : length === 126 ? 4 : 10);
    open = [...(open ?? []), payload];
    if ((first & 0x80) === 0) continue;
    texts.push(Buffer.concat(open).toString());
    open = undefined;
  }
  expect(open).toBeUndefined();
  return texts;
}

const valuesOf = (texts: readonly string[]) =>
  texts.flatMap((text) => (JSON.parse(text) as { readonly event: { readonly data: readonly string[] } }).event.data);

describe.each([
  { parts: true, what: 'RV-11 in parts' },
  { parts: false, what: 'RV-12 as one message' },
])('a large group $what', ({ parts }) => {
  it('E11 is cut into fragments, so that a reader that stalls owns little of a large value', async () => {
    const items = [item(1, 'x'.repeat(400_000)), item(2, 'y'.repeat(10)), item(3, 'z'.repeat(200_000))];
    const rendered = await render(items, parts);
    expect(Math.max(...rendered.map(({ length }) => length))).toBeLessThanOrEqual(MOST_FRAGMENT_BYTES);
    const texts = messages(rendered);
    expect(texts).toHaveLength(parts ? 3 : 1);
    expect(valuesOf(texts)).toEqual(items.map(({ data }) => JSON.parse(data)));
  });

  it('cuts no character in two', async () => {
    for (const shift of ['', '.']) {
      const items = [item(1, `${shift}${'😀'.repeat(100_000)}`)];
      const texts = messages(await render(items, parts));
      expect(valuesOf(texts)).toEqual(items.map(({ data }) => JSON.parse(data)));
    }
  });
});

it('a small group is the same single frame in both shapes', async () => {
  const [inParts, asMessage] = [await render([item(1, 'a')], true), await render([item(1, 'a')], false)];
  expect(inParts).toEqual(asMessage);
  expect(inParts).toEqual([encodeTextFrame(messages(inParts)[0] ?? '')]);
});
