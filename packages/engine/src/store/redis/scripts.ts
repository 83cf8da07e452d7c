import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RedisScript } from './connection/server-connection.js';
import type { GroupKeys, PartitionKeys } from './keys.js';

/**
 * The Lua scripts of the store, and the names of their arguments.
 *
 * Each script is a file in `lua/`. Its header gives every key and argument a name: `local values = KEYS[3]`. The lists below repeat these
 * names in the same order, and a unit test compares both. Callers pass keys and arguments by name, so only the header has their order.
 *
 * The compiler copies no Lua. All builds read the files of `src`, and the npm package ships the folder `lua/` too.
 */
const LUA_FOLDER = join(packageFolder(import.meta.dirname), 'src/store/redis/lua');

/** A script whose keys and arguments have names. After the named arguments a script may take a list of further ones. */
export interface NamedScript<Key extends string = string, Arg extends string = string> extends RedisScript {
  readonly keys: readonly Key[];
  readonly args: readonly Arg[];
}

/** The keys of one call by name. */
export type KeysOf<Key extends string> = Readonly<Record<Key, string>>;

/** Names of the keys that a group has by itself (keys.ts), and of those that belong to one call. */
export type GroupKeyName = StringsOf<GroupKeys> | keyof PartitionKeys | keyof CallKeys;
type StringsOf<T> = { [Name in keyof T]: T[Name] extends string ? Name : never }[keyof T];

/** Keys of one call of a group script. Without `once` the script gets one key less. */
export interface CallKeys {
  /** The answer that is remembered under an idempotency key. */
  readonly once?: string | undefined;
  /** The index that a page reads. */
  readonly index?: string | undefined;
}

/** A script that begins with opening.lua. Its list of arguments does not repeat OPENING_ARGS. */
export type GroupScript<Arg extends string = string> = NamedScript<GroupKeyName, Arg>;

/** The arguments of one call by name. */
export type ArgsOf<Arg extends string> = { readonly [Name in Arg]: string | number };

/** Returns the keys in the order of the script. */
export function encodeKeys<Key extends string>(script: NamedScript<Key>, keys: KeysOf<Key>): string[] {
  return script.keys.map((name) => keys[name]);
}

/** Returns the keys of a group script in its order. It copies no object, because every write calls it. */
export function encodeGroupKeys(script: GroupScript, keys: GroupKeys, call: CallKeys): string[] {
  const encoded: string[] = [];
  for (const name of script.keys) {
    const key = name === 'once' || name === 'index' ? call[name] : isShared(name, keys) ? keys.shared[name] : keys[name];
    if (key !== undefined) encoded.push(key);
  }
  return encoded;
}

function isShared(name: StringsOf<GroupKeys> | keyof PartitionKeys, { shared }: GroupKeys): name is keyof PartitionKeys {
  return name in shared;
}

/** Returns the arguments in the order of the script, and then the further ones. */
export function encodeArgs<Arg extends string>(
  script: NamedScript<string, Arg>,
  args: ArgsOf<Arg>,
  further: readonly string[] = [],
): string[] {
  const encoded = script.args.map((name) => String(args[name]));
  return further.length === 0 ? encoded : encoded.concat(further);
}

/** Keys of opening.lua, with which every script of a group begins. */
const OPENING_KEYS = ['partition', 'head'] as const;
/** Arguments of opening.lua. GroupClient sends them before the arguments of the script. */
export const OPENING_ARGS = ['run', 'freshEpoch', 'now'] as const;

/** The fields of one change, in the order in which write.lua unpacks them. */
export const CHANGE_FIELDS = ['kind', 'item', 'data', 'extra', 'id', 'expiry', 'time', 'batch'] as const;

export const WRITE = define(['opening', 'write'], {
  keys: [
    ...OPENING_KEYS,
    ...(['values', 'metas', 'created', 'changed', 'tombstones', 'tombstonesByTime', 'deadlines', 'holders', 'log', 'groups'] as const),
    ...(['streams', 'due', 'gcIndex', 'absent', 'once'] as const),
  ],
  args: [
    ...(['steadyNow', 'node', 'name', 'stream', 'group', 'held', 'channel', 'isClustered', 'streamChannel', 'allChannel'] as const),
    ...(['logCommits', 'logCommitBytes', 'logLingerMs', 'expectedEpoch', 'expectedOffset', 'onceAnswer', 'onceRetentionMs'] as const),
    ...(['maxItems', 'maxBytes', 'onFull', 'evictedItems', 'evictedBytes', 'isOneWrite'] as const),
    ...(['expectedCount', 'changeCount'] as const),
  ],
});

export const READ = define(['opening', 'read'], {
  keys: [...OPENING_KEYS, 'values', 'metas', 'once'],
  args: ['least', 'mostBytes', 'mostBytesOfAll'],
});

export const PAGE = define(['opening', 'page'], {
  keys: [...OPENING_KEYS, 'values', 'metas', 'index', 'tombstones'],
  args: ['after', 'most', 'mostBytes'],
});

export const LOG = define(['opening', 'log'], { keys: [...OPENING_KEYS, 'log'], args: [] });

export const ACCEPT_RUN = define(['accept-run'], { keys: ['partition'], args: ['run', 'freshEpoch', 'isDurable'] });

export const RENEW = define(['renew'], { keys: ['partition'], args: ['lostEpoch', 'freshEpoch'] });

export const FORGET = define(['forget'], {
  keys: ['partition', 'head', 'values', 'changed', 'tombstones', 'tombstonesByTime', 'gcIndex', 'absent'],
  args: ['name', 'oldest'],
});

export const ORPHAN = define(['orphan'], { keys: ['heldByNode', 'due', 'absent'], args: ['base', 'steadyNow'] });

export const BEAT = define(['beat'], { keys: ['nodes'], args: ['node', 'silenceMs'] });

export const SCRIPTS: readonly NamedScript[] = [WRITE, READ, PAGE, LOG, ACCEPT_RUN, RENEW, FORGET, ORPHAN, BEAT];

/** Reads the files when the text is first needed: an engine without Redis reads none. */
function define<const Key extends string, const Arg extends string>(
  files: readonly string[],
  { keys, args }: { readonly keys: readonly Key[]; readonly args: readonly Arg[] },
): NamedScript<Key, Arg> {
  let text: string | undefined;
  let sha: string | undefined;
  return {
    name: files.at(-1) ?? '',
    keys,
    args,
    get text() {
      text ??= files.map((file) => readFileSync(join(LUA_FOLDER, `${file}.lua`), 'utf8')).join('\n');
      return text;
    },
    get sha() {
      sha ??= createHash('sha1').update(this.text).digest('hex');
      return sha;
    },
  };
}

/** Returns the nearest folder with a package.json. It is the same from the sources, the compiled modules and the bundle. */
function packageFolder(folder: string): string {
  return existsSync(join(folder, 'package.json')) || dirname(folder) === folder ? folder : packageFolder(dirname(folder));
}
