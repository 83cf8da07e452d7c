import { create } from './create.js';
import { withTerminal } from './questions.js';

const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
process.exitCode = await create(process.argv.slice(2), {
  cwd: process.cwd(),
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  withTerminal: isTerminal ? withTerminal : undefined,
});
