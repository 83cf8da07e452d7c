// Runs everything on this machine: the engine, the worker, and the page if there is one. A saved file takes effect at once.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';

const isWindows = process.platform === 'win32';
const running = new Set();
let exitCode;

/** Starts a command of node_modules/.bin. npm has put that folder into the PATH. */
function start(name, command, ...args) {
  // A process group of its own: some of these commands start another process, which must end too.
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], shell: isWindows, detached: !isWindows });
  running.add(child);
  child.once('error', (error) => console.error(`${name}: ${error.message}; start this program with npm run dev`));
  child.once('close', () => running.delete(child));
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => console.log(`${name}: ${line}`));
  return child;
}

function end(code) {
  exitCode ??= code;
  for (const child of running) kill(child);
  if (running.size === 0) process.exit(exitCode);
}

function kill(child) {
  try {
    if (isWindows || child.pid === undefined) child.kill('SIGTERM');
    else process.kill(-child.pid, 'SIGTERM');
  } catch (error) {
    // It has ended by itself.
    if (error.code !== 'ESRCH') throw error;
  }
}

/** When one program ends, the others end too. */
function keepRunning(child) {
  child.once('close', (code) => end(code ?? 1));
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => end(0));

const [compiled] = await once(start('types', 'tsc', '-p', 'tsconfig.worker.json'), 'close');
if (compiled !== 0) end(1);

const engine = start('engine', 'rivulet', 'start');
keepRunning(engine);
const isReady = await new Promise((resolve) => {
  createInterface({ input: engine.stdout }).on('line', (line) => line.startsWith('ready') && resolve(true));
  engine.once('close', () => resolve(false));
});
if (isReady) {
  keepRunning(start('types', 'tsc', '-p', 'tsconfig.worker.json', '--watch', '--preserveWatchOutput'));
  keepRunning(start('worker', process.execPath, '--watch', '--watch-preserve-output', 'dist/worker/main.js'));
  if (existsSync('vite.config.ts')) keepRunning(start('page', 'vite'));
}
