import type { Command } from './command/command.js';
import type { CommandSummary } from './command/usage.js';

export interface CommandRow extends CommandSummary {
  /** Loads the file of the command. Each command loads only its own files; only `start` loads the whole engine. */
  load(): Promise<Command>;
}

/** All commands, in the order of the usage text. */
export const COMMANDS: readonly CommandRow[] = [
  {
    name: 'start',
    summary: 'start the engine',
    example: 'rivulet start --config iii-config.yaml',
    load: async () => (await import('./engine/start.js')).startCommand,
  },
  {
    name: 'check-config',
    summary: 'check the configuration and print warnings',
    example: 'rivulet check-config --config iii-config.yaml',
    load: async () => (await import('./engine/check-config.js')).checkConfigCommand,
  },
  {
    name: 'print-config',
    summary: 'print the effective configuration as YAML or JSON',
    example: 'rivulet print-config --json',
    load: async () => (await import('./engine/print-config.js')).printConfigCommand,
  },
  {
    name: 'backup',
    summary: 'copy streams and state of one moment into a directory',
    example: 'rivulet backup /backups/monday',
    load: async () => (await import('./store/backup.js')).backupCommand,
  },
  {
    name: 'restore',
    summary: 'fill empty store directories from a backup',
    example: 'rivulet restore /backups/monday',
    load: async () => (await import('./store/restore.js')).restoreCommand,
  },
  {
    name: 'export',
    summary: 'write all items into a file of JSON lines',
    example: 'rivulet export items.jsonl',
    load: async () => (await import('./store/export.js')).exportCommand,
  },
  {
    name: 'import',
    summary: 'fill empty stores from an export, or from the original engine',
    example: 'rivulet import --from iii ./old-data',
    load: async () => (await import('./store/import.js')).importCommand,
  },
  {
    name: 'compact',
    summary: 'give the free space of data files back to the disk',
    example: 'rivulet compact',
    load: async () => (await import('./store/compact.js')).compactCommand,
  },
  {
    name: 'check',
    summary: 'check a store on the disk and print what is damaged',
    example: 'rivulet check ./data/streams',
    load: async () => (await import('./store/check.js')).checkCommand,
  },
  {
    name: 'salvage',
    summary: 'write everything that a damaged store still has into a new one',
    example: 'rivulet salvage ./data/streams --to ./data/streams.new',
    load: async () => (await import('./store/salvage.js')).salvageCommand,
  },
  {
    name: 'version',
    summary: 'print the version',
    example: 'rivulet version',
    load: async () => (await import('./engine/version.js')).versionCommand,
  },
];
