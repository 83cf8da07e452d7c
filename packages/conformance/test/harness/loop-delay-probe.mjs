// Loaded into an engine: at each SIGUSR2 it writes how late its event loop ran since the last one, as JSON, to the file named in LOOP_DELAY_FILE.
import { renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const file = process.env.LOOP_DELAY_FILE;
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
process.on('SIGUSR2', () => {
  writeFileSync(`${file}.part`, JSON.stringify({ p99Ms: delay.percentile(99) / 1e6, maxMs: delay.max / 1e6 }));
  renameSync(`${file}.part`, file);
  delay.reset();
});
