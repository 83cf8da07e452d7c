// Loaded into an engine. At each SIGUSR2 it writes figures since the last one, as JSON, to the file named in LOOP_DELAY_FILE: how late the
// event loop ran (wall clock), and how much processor time the main thread took from one tick to the next.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const file = process.env.LOOP_DELAY_FILE;
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();

// The kernel counts the processor time of the main thread here, in nanoseconds. What other processes do on the machine is not in it.
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
