import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '../../set-up/workspace.mjs';

interface Step {
  readonly name?: string;
  readonly run?: string;
}

const { jobs } = parse(readFileSync(join(ROOT, '.github/workflows/release.yml'), 'utf8')) as {
  readonly jobs: { readonly publish: { readonly steps: readonly Step[] } };
};
/** Returns the commands of a step of the job that publishes. */
const commandsOf = (name: string) => jobs.publish.steps.find((step) => step.name === name)?.run ?? 'exit 99';

const parent = mkdtempSync(join(tmpdir(), 'rivulet-release-workflow-'));
let folder = '';
let round = 0;
beforeEach(() => {
  round += 1;
  folder = join(parent, String(round));
  mkdirSync(folder);
});
afterAll(() => rmSync(parent, { recursive: true, force: true, maxRetries: 3 }));

/** Runs commands as GitHub does, with `--errexit`. */
function runCommands(commands: string, cwd: string, path = '') {
  const env = { PATH: `${path}:${process.env['PATH']}`, GITHUB_REF_NAME: 'v1.2.3', RUNNER_TEMP: folder, HOME: folder };
  const { status, stdout } = spawnSync('bash', ['--noprofile', '--norc', '-e', '-c', commands], { cwd, env, encoding: 'utf8' });
  return { status, stdout };
}

describe('the step that makes the release on GitHub', () => {
  const name = 'Attach the tarballs and the list of all parts';

  /** Runs the step with programs that write down their words. The release exists when the file `release` does. */
  function attach(failing = '') {
    const programs = join(folder, 'programs');
    mkdirSync(programs, { recursive: true });
    const gh = `#!/bin/sh
echo "$1 $2" >> "${folder}/words"
[ "$2" != "${failing}" ] || exit 1
case $2 in
  view) test -e "${folder}/release" ;;
  create) test ! -e "${folder}/release" && touch "${folder}/release" ;;
esac
`;
    writeFileSync(join(programs, 'gh'), gh, { mode: 0o755 });
    writeFileSync(join(programs, 'npm'), `#!/bin/sh\nmkdir -p "${folder}/tarballs"\n`, { mode: 0o755 });
    const words = join(folder, 'words');
    rmSync(words, { force: true });
    const { status } = runCommands(commandsOf(name), folder, programs);
    return { status, words: existsSync(words) ? readFileSync(words, 'utf8').trim().split('\n') : [] };
  }

  it('makes it and uploads the files', () => {
    expect(attach()).toEqual({ status: 0, words: ['release view', 'release create', 'release upload'] });
  });

  it('uploads the files again after an upload that failed', () => {
    expect(attach('upload').status).toBe(1);
    expect(attach()).toEqual({ status: 0, words: ['release view', 'release upload'] });
    expect(commandsOf(name)).toContain('gh release upload "$GITHUB_REF_NAME" --clobber');
  });

  it('fails when the release cannot be made', () => {
    expect(attach('create')).toEqual({ status: 1, words: ['release view', 'release create'] });
  });
});

it('a tag that is not on main is refused', () => {
  const clone = join(folder, 'clone');
  const git = (...words: readonly string[]) => {
    const who = ['-c', 'user.name=Test', '-c', 'user.email=test@localhost', '-c', 'commit.gpgsign=false'];
    execFileSync('git', ['-C', clone, ...who, ...words], { stdio: 'ignore' });
  };
  mkdirSync(clone);
  git('init');
  git('commit', '--allow-empty', '--message', 'first');
  git('tag', 'first');
  git('commit', '--allow-empty', '--message', 'second');
  git('update-ref', 'refs/remotes/origin/main', 'HEAD');
  const commands = commandsOf('Refuse a tag that is not on main');
  expect(runCommands(commands, clone)).toEqual({ status: 0, stdout: '' });
  git('checkout', 'first');
  expect(runCommands(commands, clone)).toEqual({ status: 0, stdout: '' });
  git('commit', '--allow-empty', '--message', 'elsewhere');
  expect(runCommands(commands, clone)).toEqual({ status: 1, stdout: expect.stringContaining('::error::v1.2.3 is not on main') });
});
