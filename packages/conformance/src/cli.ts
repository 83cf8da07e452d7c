import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { CASES } from './cases/all.js';
import type { Addresses, Need } from './runner/case.js';
import { asJson, asText, count } from './runner/report.js';
import { RULES } from './runner/rules.js';
import { isWanted, runCases } from './runner/runner.js';

const USAGE = `Usage: rivulet-conformance [addresses] [options]

Addresses of a running server; at least one, and --worker beside each of the others:
  --worker ws://HOST:PORT       the trusted worker listener
  --stream ws://HOST:PORT       the stream listener
  --stream-auth ws://HOST:PORT  the stream listener, in place of --stream, when it has an auth_function
  --http http://HOST:PORT       the HTTP listener
  --rbac ws://HOST:PORT         a worker listener with rules

The server is to be configured with functions that this command serves through --worker:
  --stream-auth   auth_function: conformance::stream-auth, auth_timeout_ms: 2000
  --http          default_timeout: 2000, middleware: [{ function_id: conformance::http-middleware, phase: preHandler }], no cors
  --rbac          middleware_function_id: conformance::middleware, and under rbac
                  auth_function_id: conformance::auth, auth_timeout_ms: 2000
                  on_function_registration_function_id: conformance::on-function
                  on_trigger_registration_function_id: conformance::on-trigger
                  on_trigger_type_registration_function_id: conformance::on-trigger-type
                  expose_functions: match("conformance-*::exposed"), match("engine::functions::*"),
                  { metadata: { conformance_exposed: true, conformance_tier: match("pro*") } }
docs/conformance.md has this as a file.

Options:
  --only WP-4,ST    these rules, or whole families
  --timeout MS      for one case; default 10000, from 1000 to 600000
  --json            the outcome as JSON
  --list            the rules, without a run

Exit code: 0 every rule that was tested holds, 1 some fail, 2 it could not be run.
`;
const NEEDS: readonly Need[] = ['worker', 'stream', 'http', 'rbac', 'stream-auth'];
const PROTOCOLS: Readonly<Record<Need, string>> = { worker: 'ws:', stream: 'ws:', http: 'http:', rbac: 'ws:', 'stream-auth': 'ws:' };

/** Ends the command with code 2. Its message says what the user must do. */
class Refusal extends Error {}

function addressOf(need: Need, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== PROTOCOLS[need])
    throw new Refusal(`--${need} must be an address such as ${PROTOCOLS[need]}//127.0.0.1:3112, not "${text}"`);
  return `${url.protocol}//${url.host}`;
}

/** Rejects when nothing listens at the address. Otherwise every case would fail with the same message. */
async function requireListener(need: Need, address: string): Promise<void> {
  const url = new URL(address);
  await new Promise<void>((resolve, reject) => {
    const refuse = (what: string) =>
      reject(new Refusal(`cannot connect to --${need} ${address} (${what}): start the server, or give the address where it listens`));
    const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 80), timeout: 5_000 });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', (error) => refuse(error.message));
    socket.once('timeout', () => {
      socket.destroy();
      refuse('no answer within 5 s');
    });
  });
}

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const options = { worker: text, stream: text, http: text, rbac: text, 'stream-auth': text, only: text, timeout: text };
  let values: ReturnType<typeof parse>;
  const parse = () => parseArgs({ options: { ...options, json: flag, list: flag, help: { ...flag, short: 'h' } } }).values;
  try {
    values = parse();
  } catch (error) {
    throw new Refusal(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const only = (values.only ?? '').split(',').filter((id) => id !== '');
  const unknown = only.find((wanted) => !RULES.some(({ id }) => isWanted(id, [wanted])));
  if (unknown !== undefined) throw new Refusal(`--only: there is no rule "${unknown}"; --list shows all of them`);
  if (values.list) {
    const wanted = RULES.filter(({ id }) => isWanted(id, only));
    process.stdout.write(
      values.json ? `${JSON.stringify(wanted)}\n` : wanted.map(({ id, title }) => `${id.padEnd(6)} ${title}\n`).join(''),
    );
    return 0;
  }
  const timeoutMs = Number(values.timeout ?? '10000');
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1_000 || timeoutMs > 600_000)
    throw new Refusal(`--timeout must be a whole number of milliseconds from 1000 to 600000, not "${values.timeout}"`);
  const given = NEEDS.flatMap((need) => (values[need] === undefined ? [] : [[need, addressOf(need, values[need])] as const]));
  if (given.length === 0) throw new Refusal(`no address is given\n\n${USAGE}`);
  const found: Addresses = Object.fromEntries(given);
  for (const [need, address] of given) await requireListener(need, address);
  const stream = found.stream ?? found['stream-auth'];
  const addresses = stream === undefined ? found : { ...found, stream };
  const rules = await runCases(CASES, { addresses, timeoutMs, only });
  process.stdout.write(values.json ? asJson(rules) : asText(rules));
  return count(rules).fail === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`rivulet-conformance: ${error instanceof Refusal ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
