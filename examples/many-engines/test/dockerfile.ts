import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const exec = promisify(execFile);

export interface Stage {
  readonly name: string;
  /** An image, or the name of an earlier stage. */
  readonly from: string;
  readonly steps: readonly (readonly [instruction: string, rest: string])[];
}

/** Parses a Dockerfile with one instruction on each line, as the one of this example. */
export async function readDockerfile(file: string): Promise<readonly Stage[]> {
  const stages: { name: string; from: string; steps: [string, string][] }[] = [];
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const [, instruction = '', rest = ''] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    const [, from = '', name = ''] = /^FROM (\S+) AS (\S+)$/.exec(line) ?? [];
    if (instruction === 'FROM') stages.push({ name, from, steps: [] });
    else if (instruction !== '') stages.at(-1)?.steps.push([instruction, rest]);
    else if (line !== '' && !line.startsWith('#')) throw new Error(`no instruction: ${line}`);
  }
  return stages;
}

export const valueOf = (stage: Stage, instruction: string): string | undefined =>
  stage.steps.findLast(([each]) => each === instruction)?.[1];

/** Returns the words of a CMD in exec form. Throws for any other form. */
export const commandOf = (stage: Stage): readonly string[] => JSON.parse(valueOf(stage, 'CMD') ?? 'no CMD') as string[];

/**
 * Builds a stage, and the stages that it needs, as folders of this machine. It runs their copies and commands with the installed programs.
 * It cannot test whether the images have these programs too.
 */
export async function makeStage(
  name: string,
  stages: readonly Stage[],
  context: readonly string[],
  root: string,
  folder: string,
): Promise<string> {
  const stage = stages.find((each) => each.name === name);
  const place = join(folder, name);
  if (stage === undefined) throw new Error(`no stage ${name}`);
  await mkdir(place);
  if (stages.some((each) => each.name === stage.from)) await copyAll(await made(stage.from), place);
  for (const [instruction, rest] of stage.steps) {
    const [, from, source = '', target = ''] = /^(?:--from=(\S+) )?(\S+) (\S+)$/.exec(rest) ?? [];
    if (instruction === 'RUN') await exec('sh', ['-c', rest.replace(/^(?:--mount=\S+ )+/, '')], { cwd: place, maxBuffer: 2 ** 24 });
    else if (instruction === 'COPY' && from !== undefined)
      await copyAll(join(await made(from), source.replace('/rivulet/', '')), join(place, target));
    else if (instruction === 'COPY') for (const file of context) await copyAll(join(root, file), join(place, file));
  }
  return place;

  async function made(other: string): Promise<string> {
    const there = join(folder, other);
    return existsSync(there) ? there : makeStage(other, stages, context, root, folder);
  }
}

async function copyAll(source: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  await cp(source, target, { recursive: true, verbatimSymlinks: true });
}
