import { parseArgs } from 'node:util';
import { CreateFailure } from './failure.js';
import { DEFAULT_TEMPLATE, isTemplate, TEMPLATES, type TemplateName } from './templates.js';

/** The words of a command line. */
export type Words =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | {
      readonly kind: 'create';
      readonly directory: string | undefined;
      readonly template: TemplateName | undefined;
      readonly packages: string | undefined;
      readonly yes: boolean;
    };

const OPTIONS = {
  template: { type: 'string', short: 't' },
  packages: { type: 'string' },
  yes: { type: 'boolean', short: 'y', default: false },
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', default: false },
} as const;

export function readWords(args: readonly string[]): Words {
  const { values, positionals } = parsed(args);
  if (values.help) return { kind: 'help' };
  if (values.version) return { kind: 'version' };
  const [directory, ...rest] = positionals;
  if (rest.length > 0) throw new CreateFailure('INVALID_ARGUMENTS', `one directory is enough; "${rest.join(' ')}" is more`);
  if (directory === '') throw new CreateFailure('INVALID_ARGUMENTS', 'the name of the directory is empty');
  const { template, packages, yes } = values;
  return { kind: 'create', directory, template: template === undefined ? undefined : requireTemplate(template), packages, yes };
}

/** Throws `UNKNOWN_TEMPLATE` unless this is the name of a template. */
export function requireTemplate(name: string): TemplateName {
  if (isTemplate(name)) return name;
  throw new CreateFailure('UNKNOWN_TEMPLATE', `there is no template "${name}"; choose one of ${Object.keys(TEMPLATES).join(', ')}`);
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    const [sentence = ''] = (error instanceof Error ? error.message : String(error)).split('. ');
    throw new CreateFailure('INVALID_ARGUMENTS', `${sentence}; create-rivulet --help lists the options`, { cause: error });
  }
}

export const HELP = `create-rivulet DIR [options]

Makes a TypeScript project with Rivulet in the directory DIR, with tests. Its package has the name of the directory.

  -t, --template NAME   the kind of project; default: ${DEFAULT_TEMPLATE}
${Object.entries(TEMPLATES)
  .map(([name, { summary }]) => `                          ${name.padEnd(8)}${summary}\n`)
  .join('')}      --packages FOLDER install Rivulet from the packed packages in FOLDER and not from the registry
  -y, --yes             ask nothing
  -h, --help            print this help
      --version         print the version

It asks for what is missing on a terminal. Otherwise it takes the defaults.

Example: npm create rivulet@latest my-app -- --template react
`;
