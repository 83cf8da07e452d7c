import type { Command } from './command/command.js';
import type { CommandSummary } from './command/read-words.js';

export interface CommandRow extends CommandSummary {
  /** Loads the file of the command. Each command loads only its own files; only `start` loads the whole engine. */
  load(): Promise<Command>;
}

const ENGINE = 'The engine:';
const ITEMS = 'Items and functions of a running engine:';
const ADMIN = 'Operation of a running engine:';
const STORES = 'Stores on the disk:';

/** All commands, in the order of the usage text. */
export const COMMANDS: readonly CommandRow[] = [
  {
    name: 'start',
    group: ENGINE,
    summary: 'start the engine',
    example: 'rivulet start --config rivulet.yaml',
    load: async () => (await import('./engine/start.js')).startCommand,
  },
  {
    name: 'check-config',
    group: ENGINE,
    summary: 'check the configuration and print warnings',
    example: 'rivulet check-config --config rivulet.yaml',
    load: async () => (await import('./engine/check-config.js')).checkConfigCommand,
  },
  {
    name: 'print-config',
    group: ENGINE,
    summary: 'print the effective configuration as YAML or JSON',
    example: 'rivulet print-config --json',
    load: async () => (await import('./engine/print-config.js')).printConfigCommand,
  },
  {
    name: 'token',
    group: ENGINE,
    summary: 'make a token for tests and development',
    example: "rivulet token --sub ann --join 'chat/*'",
    load: async () => (await import('./engine/token.js')).tokenCommand,
  },
  {
    name: 'get',
    group: ITEMS,
    summary: 'print an item',
    example: 'rivulet get chat room-1 m1',
    load: async () => (await import('./items/get.js')).getCommand,
  },
  {
    name: 'set',
    group: ITEMS,
    summary: 'store an item',
    example: `rivulet set chat room-1 m1 '{"text":"hi"}'`,
    load: async () => (await import('./items/set.js')).setCommand,
  },
  {
    name: 'update',
    group: ITEMS,
    summary: 'change parts of an item',
    example: 'rivulet update chat room-1 m1 text=hello likes+=1',
    load: async () => (await import('./items/update.js')).updateCommand,
  },
  {
    name: 'delete',
    group: ITEMS,
    summary: 'delete an item',
    example: 'rivulet delete chat room-1 m1',
    load: async () => (await import('./items/delete.js')).deleteCommand,
  },
  {
    name: 'list',
    group: ITEMS,
    summary: 'list the items of a group',
    example: 'rivulet list chat room-1',
    load: async () => (await import('./items/list.js')).listCommand,
  },
  {
    name: 'watch',
    group: ITEMS,
    summary: 'print the items of a group and each change of them',
    example: 'rivulet watch chat room-1',
    load: async () => (await import('./items/watch.js')).watchCommand,
  },
  {
    name: 'send',
    group: ITEMS,
    summary: 'send an event to the clients that watch a group',
    example: `rivulet send chat room-1 typing '{"user":"ann"}'`,
    load: async () => (await import('./items/send.js')).sendCommand,
  },
  {
    name: 'call',
    group: ITEMS,
    summary: 'call a function',
    example: `rivulet call stream::list_groups '{"stream_name":"chat"}'`,
    load: async () => (await import('./items/call.js')).callCommand,
  },
  {
    name: 'streams',
    group: ADMIN,
    summary: 'list the streams',
    example: 'rivulet streams',
    load: async () => (await import('./admin/streams.js')).streamsCommand,
  },
  {
    name: 'groups',
    group: ADMIN,
    summary: 'list the groups of a stream',
    example: 'rivulet groups chat',
    load: async () => (await import('./admin/groups.js')).groupsCommand,
  },
  {
    name: 'sessions',
    group: ADMIN,
    summary: 'list the stream clients',
    example: 'rivulet sessions',
    load: async () => (await import('./admin/sessions.js')).sessionsCommand,
  },
  {
    name: 'why',
    group: ADMIN,
    summary: 'say why a client did not get a change',
    example: 'rivulet why user-7 chat room-1 m1',
    load: async () => (await import('./admin/why.js')).whyCommand,
  },
  {
    name: 'functions',
    group: ADMIN,
    summary: 'list the functions that can be called',
    example: 'rivulet functions --json',
    load: async () => (await import('./admin/functions.js')).functionsCommand,
  },
  {
    name: 'triggers',
    group: ADMIN,
    summary: 'list the registered triggers',
    example: 'rivulet triggers',
    load: async () => (await import('./admin/triggers.js')).triggersCommand,
  },
  {
    name: 'top',
    group: ADMIN,
    summary: 'show what the engine does, again and again',
    example: 'rivulet top --every 5s',
    load: async () => (await import('./admin/top.js')).topCommand,
  },
  {
    name: 'disconnect',
    group: ADMIN,
    summary: 'end a session, or all sessions of an identity',
    example: 'rivulet disconnect --identity user-7',
    load: async () => (await import('./admin/disconnect.js')).disconnectCommand,
  },
  {
    name: 'backup',
    group: STORES,
    summary: 'copy streams and state of one moment into a directory',
    example: 'rivulet backup /backups/monday',
    load: async () => (await import('./store/backup.js')).backupCommand,
  },
  {
    name: 'restore',
    group: STORES,
    summary: 'fill empty store directories from a backup',
    example: 'rivulet restore /backups/monday',
    load: async () => (await import('./store/restore.js')).restoreCommand,
  },
  {
    name: 'export',
    group: STORES,
    summary: 'write all items into a file of JSON lines',
    example: 'rivulet export items.jsonl',
    load: async () => (await import('./store/export.js')).exportCommand,
  },
  {
    name: 'import',
    group: STORES,
    summary: 'fill empty stores from an export, or from the original engine',
    example: 'rivulet import --from iii ./old-data',
    load: async () => (await import('./store/import.js')).importCommand,
  },
  {
    name: 'compact',
    group: STORES,
    summary: 'give the free space of data files back to the disk',
    example: 'rivulet compact',
    load: async () => (await import('./store/compact.js')).compactCommand,
  },
  {
    name: 'check',
    group: STORES,
    summary: 'check a store on the disk and print what is damaged',
    example: 'rivulet check ./data/streams',
    load: async () => (await import('./store/check.js')).checkCommand,
  },
  {
    name: 'salvage',
    group: STORES,
    summary: 'write everything that a damaged store still has into a new one',
    example: 'rivulet salvage ./data/streams --to ./data/streams.new',
    load: async () => (await import('./store/salvage.js')).salvageCommand,
  },
  {
    name: 'doctor',
    group: ENGINE,
    summary: 'look at everything that an engine needs, and say what to change',
    example: 'rivulet doctor --config rivulet.yaml',
    load: async () => (await import('./doctor/doctor.js')).doctorCommand,
  },
  {
    name: 'version',
    group: ENGINE,
    summary: 'print the version',
    example: 'rivulet version',
    load: async () => (await import('./engine/version.js')).versionCommand,
  },
];
