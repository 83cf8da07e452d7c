/**
 * Exit codes of all commands, with their meaning. The larger ones come from sysexits. docs/cli.md has the same rows, and a test compares
 * both.
 */
export const EXIT_CODES = {
  ok: { code: 0, meaning: 'The command succeeded.' },
  failed: { code: 1, meaning: 'The command failed, or something that it names does not exist.' },
  usage: { code: 64, meaning: 'The command line is wrong. Nothing was done.' },
  data: { code: 65, meaning: 'The data is damaged, or some of it cannot be kept. The output names each place.' },
  unreachable: { code: 69, meaning: 'The engine or the server cannot be reached.' },
  busy: { code: 75, meaning: 'A wait took too long, or another process uses the directory. Try again later.' },
  refused: { code: 77, meaning: 'The engine refused the request.' },
  configuration: { code: 78, meaning: 'The configuration is wrong. No port was opened.' },
} as const;

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES]['code'];

/** The numbers of `EXIT_CODES` by their names. */
export const EXIT = {
  ok: EXIT_CODES.ok.code,
  failed: EXIT_CODES.failed.code,
  usage: EXIT_CODES.usage.code,
  data: EXIT_CODES.data.code,
  unreachable: EXIT_CODES.unreachable.code,
  busy: EXIT_CODES.busy.code,
  refused: EXIT_CODES.refused.code,
  configuration: EXIT_CODES.configuration.code,
} as const;
