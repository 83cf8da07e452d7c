import type { Config } from '../../config/config.js';
import { ConfigError, describeProblem } from '../../config/config-error.js';
import { loadConfig } from '../../config/loading/load-config.js';
import { inspectStoreDirectories } from '../../config/store-directories.js';
import { printable } from '../../logging/printable.js';
import type { Command, CommandContext, CommandInput } from '../command/command.js';
import { CONFIG_OPTIONS } from '../command/config-option.js';
import { EXIT } from '../command/exit-codes.js';
import { failureOf } from '../command/failure.js';
import { accessHints, configWarnings, proxyHints } from './access-hints.js';
import { checkEngine } from './engine-checks.js';
import { type Finding, findingsOf } from './finding.js';
import { checkMachine, thisMachine } from './machine-checks.js';
import { checkPorts } from './port-checks.js';
import { checkUpgrade } from './proxy-check.js';
import { checkStorePlaces } from './store-checks.js';

/** Looks at everything that an engine needs, and says what to change. It changes nothing itself. */
export const doctorCommand: Command = {
  name: 'doctor',
  options: {
    ...CONFIG_OPTIONS,
    via: { type: 'value', value: 'URL', description: 'the public address of the stream port: check that your proxy passes WebSockets' },
    json: { type: 'flag', description: 'print one JSON value on stdout' },
  },
  notes: [
    'Looks at the configuration, ports, limits of the system, the places of the stores, proxies and the running engine. It changes\n' +
      'nothing. It exits with 1 when something must be changed. Run it as the user, and on the machine, of the engine.',
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
  const [configuration, upgrade] = await Promise.all([
    examineConfig(input, context),
    via === undefined ? [] : checkUpgrade(via).then((finding) => [finding]),
  ]);
  return [...configuration, ...upgrade, ...checkMachine(thisMachine())];
}

async function examineConfig(input: CommandInput, context: CommandContext): Promise<readonly Finding[]> {
  const file = input.value('config');
  const { note, change } = findingsOf('configuration');
  let config: Config;
  let foreign: readonly Finding[];
  try {
    config = loadConfig({
      ...(file === undefined ? {} : { file }),
      cwd: context.cwd,
      env: context.env,
      lenient: input.flag('lenient-config'),
    });
    foreign = inspectStoreDirectories(config).map(({ message }) => note(message));
  } catch (error) {
    if (!(error instanceof ConfigError)) return [change(failureOf(error).message)];
    return error.problems.map((problem) => change(describeProblem(problem)));
  }
  const [ports, stores, engine] = await Promise.all([checkPorts(config), checkStorePlaces(config), checkEngine(config, context)]);
  return [...configWarnings(config), ...foreign, ...accessHints(config), ...proxyHints(config), ...ports, ...stores, ...engine];
}
