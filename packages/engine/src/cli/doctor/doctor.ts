import type { Config } from '../../config/config.js';
import { ConfigError, describeProblem } from '../../config/config-error.js';
import { entryName } from '../../config/entry-names.js';
import { loadConfig } from '../../config/loading/load-config.js';
import { inspectStoreDirectories } from '../../config/store-directories.js';
import { printable } from '../../logging/printable.js';
import { type AdminApi, adminApiAt } from '../admin/admin-api.js';
import { tokenOf } from '../command/access.js';
import type { Command, CommandContext, CommandInput } from '../command/command.js';
import { CONFIG_OPTIONS } from '../command/config-option.js';
import { EXIT } from '../command/exit-codes.js';
import { CommandFailure, failureOf } from '../command/failure.js';
import { accessHints, configWarnings, proxyHints } from './access-hints.js';
import { checkAddresses, checkSessions } from './address-check.js';
import { checkEngine } from './engine-checks.js';
import { type Finding, findingsOf } from './finding.js';
import { checkMachine, thisMachine } from './machine-checks.js';
import { checkPorts, isAdminListener, reachable } from './port-checks.js';
import { checkUpgrade, viaUrl } from './proxy-check.js';
import { checkStorePlaces } from './store-checks.js';

/** Longest wait for an answer of the admin listener. */
const ADMIN_MS = 5_000;

/** Looks at everything that an engine needs, and says what to change. It changes nothing itself. */
export const doctorCommand: Command = {
  name: 'doctor',
  options: {
    ...CONFIG_OPTIONS,
    via: {
      type: 'value',
      value: 'URL',
      description: 'the public address of the stream port: check that your proxy passes WebSockets and names its clients',
    },
    'admin-url': {
      type: 'value',
      value: 'URL',
      description: 'with --via: the admin listener that shows which address the engine sees; else that of the configuration',
    },
    json: { type: 'flag', description: 'print one JSON value on stdout' },
  },
  notes: [
    'Looks at the configuration, ports, limits of the system, the places of the stores, proxies and the running engine. It changes\n' +
      'nothing. It exits with 1 when something must be changed. Run it as the user, and on the machine, of the engine.',
    'With --via it connects with a forged X-Forwarded-For and without, and reads from the list of sessions which address the engine uses.\n' +
      'It needs a token for that list in RIVULET_ADMIN_TOKEN, and one for the auth function in RIVULET_STREAM_TOKEN, if they want one.',
  ],
  run: async (input, context) => {
    const findings = await examine(input, context);
    const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
    const changes = count('change');
    if (input.flag('json')) context.out(`${JSON.stringify({ ok: changes === 0, findings })}\n`);
    else {
      for (const { level, area, message } of findings) context.out(`${level.padEnd(6)}  ${area}: ${printable(message)}\n`);
      context.out(`\nto change: ${changes}, notes: ${count('note')}\n`);
    }
    return changes === 0 ? EXIT.ok : EXIT.failed;
  },
};

async function examine(input: CommandInput, context: CommandContext): Promise<readonly Finding[]> {
  const via = input.value('via');
  const { config, findings } = examineConfig(input, context);
  const [running, proxy] = await Promise.all([
    config === undefined ? [] : examineRunning(config, input, context),
    via === undefined ? [] : examineVia(via, config, input, context),
  ]);
  return [...findings, ...running, ...proxy, ...checkMachine(thisMachine())];
}

interface Examined {
  /** `undefined` if the engine cannot use it. */
  readonly config: Config | undefined;
  readonly findings: readonly Finding[];
}

function examineConfig(input: CommandInput, context: CommandContext): Examined {
  const file = input.value('config');
  const { note, change } = findingsOf('configuration');
  try {
    const config = loadConfig({
      ...(file === undefined ? {} : { file }),
      cwd: context.cwd,
      env: context.env,
      lenient: input.flag('lenient-config'),
    });
    const foreign = inspectStoreDirectories(config).map(({ message }) => note(message));
    return { config, findings: [...configWarnings(config), ...foreign, ...accessHints(config), ...proxyHints(config)] };
  } catch (error) {
    if (!(error instanceof ConfigError)) return { config: undefined, findings: [change(failureOf(error).message)] };
    return { config: undefined, findings: error.problems.map((problem) => change(describeProblem(problem))) };
  }
}

async function examineRunning(config: Config, input: CommandInput, context: CommandContext): Promise<readonly Finding[]> {
  const checks = await Promise.all([
    checkPorts(config),
    checkStorePlaces(config),
    checkEngine(config, context),
    runningAdmin(config, input, context).then((api) => (typeof api === 'string' ? [] : checkSessions(api, streamEntry(config)))),
  ]);
  return checks.flat();
}

/** Checks the way through the proxies, and then which addresses the engine sees behind them. */
async function examineVia(
  via: string,
  config: Config | undefined,
  input: CommandInput,
  context: CommandContext,
): Promise<readonly Finding[]> {
  const { note } = findingsOf('proxy');
  let headers: Readonly<Record<string, string>> = {};
  try {
    const token = tokenOf(context, 'RIVULET_STREAM_TOKEN');
    if (token !== undefined) headers = { 'sec-websocket-protocol': `Authorization, ${token}` };
  } catch (error) {
    return [note(failureOf(error).message)];
  }
  const entry = streamEntry(config);
  const upgrade = await checkUpgrade(via, headers, entry);
  const url = viaUrl(via);
  if (upgrade.level !== 'ok' || url === undefined || config?.stream === undefined) return [upgrade];
  const api = await runningAdmin(config, input, context);
  if (typeof api === 'string') return [upgrade, note(`${api}, so the doctor cannot see which address the engine uses for a client`)];
  return [upgrade, ...(await checkAddresses({ url, headers, trustedProxies: config.stream.trustedProxies, api, entry }))];
}

/** Returns the name that the file has for the stream entry. */
function streamEntry(config: Config | undefined): string {
  return entryName(config ?? {}, 'rivulet-stream');
}

/** Returns the admin API of the engine, or why there is none. Another program on the port of the file gets no token. */
async function runningAdmin({ admin }: Config, input: CommandInput, context: CommandContext): Promise<AdminApi | string> {
  const url = input.value('admin-url');
  try {
    if (url !== undefined) return adminApiAt(url, ADMIN_MS, context);
    if (admin === undefined) return 'the file lists no rivulet-admin';
    if (!(await isAdminListener(admin.host, admin.port))) return `no engine answers at the admin listener ${admin.host}:${admin.port}`;
    return adminApiAt(`http://${reachable(admin.host)}:${admin.port}`, ADMIN_MS, context);
  } catch (error) {
    if (error instanceof CommandFailure) return error.message;
    throw error;
  }
}
