import { relative, resolve } from 'node:path';
import { CreateFailure, EXIT, FAILURES } from './failure.js';
import { projectName } from './project-name.js';
import { type Ask, askDirectory, askTemplate } from './questions.js';
import { HELP, readWords } from './read-words.js';
import { DEFAULT_TEMPLATE, TEMPLATES } from './templates.js';
import { OUR_VERSION } from './versions.js';
import { filesOf, requireEmpty, writeProject } from './write-project.js';

/** The surroundings of a run. */
export interface CreateContext {
  readonly cwd: string;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Runs a function that may ask the user. Without a terminal it is `undefined`, and the command asks no questions. */
  readonly withTerminal: (<T>(use: (ask: Ask) => Promise<T>) => Promise<T>) | undefined;
}

/** Runs a command line. Resolves with its exit code. */
export async function create(args: readonly string[], context: CreateContext): Promise<number> {
  try {
    const words = readWords(args);
    if (words.kind === 'help') context.out(HELP);
    else if (words.kind === 'version') context.out(`${OUR_VERSION}\n`);
    else await createProject(words, context);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof CreateFailure)) throw error;
    context.err(`error: ${error.message} (${error.code})\n`);
    return FAILURES[error.code];
  }
}

type Wishes = Extract<ReturnType<typeof readWords>, { kind: 'create' }>;

async function createProject(words: Wishes, { cwd, out, withTerminal }: CreateContext): Promise<void> {
  const complete = async (ask?: Ask) => {
    const directory = words.directory ?? (ask && (await askDirectory(ask)));
    if (directory === undefined) throw new CreateFailure('DIRECTORY_MISSING', 'name the directory: create-rivulet DIR');
    // A wrong directory is refused before the next question.
    const path = resolve(cwd, directory);
    const name = projectName(path);
    requireEmpty(path);
    return { path, name, template: words.template ?? (ask ? await askTemplate(ask) : DEFAULT_TEMPLATE) };
  };
  const { path, name, template } = await (withTerminal === undefined || words.yes ? complete() : withTerminal(complete));
  const packages = words.packages === undefined ? undefined : resolve(cwd, words.packages);
  writeProject(path, filesOf(name, TEMPLATES[template], packages));
  const place = relative(cwd, path);
  out(`${name}: ${TEMPLATES[template].summary}\n\nNext:\n`);
  for (const step of [
    ...(place === '' ? [] : [`cd ${/^[\w./-]+$/.test(place) ? place : `"${place}"`}`]),
    'npm install',
    'npm test',
    'npm run dev',
  ])
    out(`  ${step}\n`);
}
