/** Exit codes of the commands. 64 and 78 are those of sysexits. */
export const EXIT = {
  ok: 0,
  /** The engine could not start, or failed while it ran. */
  failed: 1,
  /** The command line is wrong. */
  usage: 64,
  /** The configuration is wrong, and no port was opened. */
  configuration: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
