import { createRequire } from 'node:module';
import type { Command } from './command/command.js';
import type { CommandSummary } from './command/usage.js';
import type * as checkConfig from './engine/check-config.js';
import type * as printConfig from './engine/print-config.js';
import type * as start from './engine/start.js';
import type * as version from './engine/version.js';
import type * as backup from './store/backup.js';
import type * as check from './store/check.js';
import type * as compact from './store/compact.js';
import type * as exportCommands from './store/export.js';
import type * as importCommands from './store/import.js';
import type * as restore from './store/restore.js';
import type * as salvage from './store/salvage.js';

/**
 * Loads a module and everything that it imports, one file after another. `import` opens all files at the same time. That fails if the
 * process may have fewer descriptors than the engine has files.
 */
const require = createRequire(import.meta.url);

export interface CommandRow extends CommandSummary {
  /** Loads the file of the command. Each command loads only its own files; only `start` loads the whole engine. */
  load(): Command;
}

/** All commands, in the order of the usage text. */
export const COMMANDS: readonly CommandRow[] = [
  {
    name: 'start',
    summary: 'start the engine',
    example: 'rivulet start --config iii-config.yaml',
    load: () => (require('./engine/start.js') as typeof start).startCommand,
  },
  {
    name: 'check-config',
    summary: 'check the configuration and print warnings',
    example: 'rivulet check-config --config iii-config.yaml',
    load: () => (require('./engine/check-config.js') as typeof checkConfig).checkConfigCommand,
  },
  {
    name: 'print-config',
    summary: 'print the effective configuration as YAML or JSON',
    example: 'rivulet print-config --json',
    load: () => (require('./engine/print-config.js') as typeof printConfig).printConfigCommand,
  },
  {
    name: 'backup',
    summary: 'copy streams and state of one moment into a directory',
    example: 'rivulet backup /backups/monday',
    load: () => (require('./store/backup.js') as typeof backup).backupCommand,
  },
  {
    name: 'restore',
    summary: 'fill empty store directories from a backup',
    example: 'rivulet restore /backups/monday',
    load: () => (require('./store/restore.js') as typeof restore).restoreCommand,
  },
  {
    name: 'export',
    summary: 'write all items into a file of JSON lines',
    example: 'rivulet export items.jsonl',
    load: () => (require('./store/export.js') as typeof exportCommands).exportCommand,
  },
  {
    name: 'import',
    summary: 'fill empty stores from an export, or from the original engine',
    example: 'rivulet import --from iii ./old-data',
    load: () => (require('./store/import.js') as typeof importCommands).importCommand,
  },
  {
    name: 'compact',
    summary: 'give the free space of data files back to the disk',
    example: 'rivulet compact',
    load: () => (require('./store/compact.js') as typeof compact).compactCommand,
  },
  {
    name: 'check',
    summary: 'check a store on the disk and print what is damaged',
    example: 'rivulet check ./data/streams',
    load: () => (require('./store/check.js') as typeof check).checkCommand,
  },
  {
    name: 'salvage',
    summary: 'write everything that a damaged store still has into a new one',
    example: 'rivulet salvage ./data/streams --to ./data/streams.new',
    load: () => (require('./store/salvage.js') as typeof salvage).salvageCommand,
  },
  {
    name: 'version',
    summary: 'print the version',
    example: 'rivulet version',
    load: () => (require('./engine/version.js') as typeof version).versionCommand,
  },
];
