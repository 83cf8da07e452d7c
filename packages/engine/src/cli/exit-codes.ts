/** What the exit code of a command says. 64 and 78 are those of sysexits. */
export const EXIT = {
  ok: 0,
  /** The engine couldn't start or failed while running. */
  failed: 1,
  /** The command line is wrong. */
  usage: 64,
  /** The configuration is wrong; no port was opened. */
  configuration: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
