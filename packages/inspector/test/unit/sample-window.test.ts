import { expect, it } from 'vitest';
import type { Samples } from '../../src/overview/overview-wire.js';
import { SampleWindow, WINDOW } from '../../src/overview/sample-window.js';

/** Samples whose figures all have the number of the sample. */
function samples(from: number, to: number): Samples {
  const column = Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
  return {
    at_ms: column,
    deliveries: column,
    bytes: column,
    changes: column,
    calls: column,
    connections: column,
    groups: column,
    lagging: column,
    unsent_bytes: column,
    loop_delay_ms: column,
    cpu: column,
  };
}

it('begins with the samples of the first answer', () => {
  const window = new SampleWindow();
  expect(window.newestMs).toBe(0);
  window.add(samples(1, 4));
  expect(window.samples?.at_ms).toEqual([1, 2, 3]);
  expect(window.newestMs).toBe(3);
});

it('adds only later samples, to every figure', () => {
  const window = new SampleWindow();
  window.add(samples(1, 4));
  window.add(samples(2, 6));
  expect(window.samples?.at_ms).toEqual([1, 2, 3, 4, 5]);
  expect(window.samples?.cpu).toEqual([1, 2, 3, 4, 5]);
  const before = window.samples;
  window.add(samples(6, 6));
  expect(window.samples).toBe(before);
});

it('holds five minutes', () => {
  const window = new SampleWindow();
  window.add(samples(1, 301));
  window.add(samples(301, 311));
  expect(window.samples?.at_ms).toHaveLength(WINDOW);
  expect(window.samples?.changes.at(0)).toBe(11);
});

it('begins anew after a restart of the engine', () => {
  const window = new SampleWindow();
  window.add(samples(100, 104));
  window.clear();
  window.add(samples(1, 3));
  expect(window.samples?.at_ms).toEqual([1, 2]);
});
