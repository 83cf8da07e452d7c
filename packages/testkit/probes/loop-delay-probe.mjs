// This file is loaded into an engine process. At each SIGUSR2 it writes the figures since the last one, as JSON, to the file that
// LOOP_DELAY_FILE names. The figures are the lateness of the event loop by the wall clock, and the processor time of the main thread
// between two ticks.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const file = process.env.LOOP_DELAY_FILE;
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();

// The kernel counts the processor time of the main thread here, in nanoseconds. It does not include the time of other processes.
const processorMs = () => Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ', 1)[0]) / 1e6;
let slices = [];
let before = processorMs();
const tick = () => {
  const now = processorMs();
  slices.push(now - before);
  before = now;
};
setInterval(tick, 5).unref();

process.on('SIGUSR2', () => {
  tick();
  slices.sort((a, b) => a - b);
  const figures = {
    p99Ms: delay.percentile(99) / 1e6,
    maxMs: delay.max / 1e6,
    sliceP99Ms: slices[Math.floor(slices.length * 0.99)] ?? 0,
    sliceMaxMs: slices.at(-1) ?? 0,
  };
  writeFileSync(`${file}.part`, JSON.stringify(figures));
  renameSync(`${file}.part`, file);
  delay.reset();
  slices = [];
});
