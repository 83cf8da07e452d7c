import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CallEvent, DiskCall } from './disk-calls.js';
import { FileModel, type SectorChoice } from './file-model.js';

/** The part of the calls after the last sync that a power cut leaves. */
export interface CutChoices {
  readonly sector: (path: string) => SectorChoice;
  /** Returns how many of the pending sizes of a file reached the disk. */
  readonly sizes: (path: string, pending: number) => number;
  /** Returns how many of the pending changes of a directory reached the disk. The first ones do: file systems keep their order. */
  readonly entries: (directory: string, pending: number) => number;
}

type Entry = FileModel | 'directory';

interface EntryChange {
  /** New entries of the directory; `undefined` removes the name. One rename changes two names at once. */
  readonly names: ReadonlyMap<string, Entry | undefined>;
}

/** The entries of one directory. */
interface Directory {
  readonly durable: Map<string, Entry>;
  readonly current: Map<string, Entry>;
  pending: EntryChange[];
}

/**
 * A disk behind a page cache. A write is on the disk when a sync of its file has ended that began after it, and may be there at any time
 * before. A new, renamed or deleted name is on the disk after a sync of its directory. This is weaker than ext4 and XFS, which also save
 * the names when they sync a file.
 */
export class DiskModel {
  readonly #root: string;
  readonly #directories = new Map<string, Directory>();
  /** The effects of the syncs that have begun. */
  readonly #syncs = new Map<DiskCall, () => void>();
  readonly #begun = new Map<string, DiskCall[]>();

  /** The model of a directory whose content is on the disk now. */
  constructor(root: string) {
    this.#root = root;
    this.#load(root);
  }

  apply({ stage, call }: CallEvent): void {
    if (stage === 'begin') this.#begin(call);
    else this.#end(call);
  }

  /** The program has ended, so none of its syncs ends any more. */
  endProgram(): void {
    this.#syncs.clear();
    this.#begun.clear();
  }

  /** Writes what is left after a power cut into a directory. */
  writeImage(directory: string, choices: CutChoices): void {
    for (const [path, entry] of this.#left(this.#root, choices)) {
      const target = join(directory, path.slice(this.#root.length));
      if (entry === 'directory') {
        mkdirSync(target, { recursive: true });
        continue;
      }
      writeFileSync(
        target,
        entry.afterCut(choices.sector(path), (pending) => choices.sizes(path, pending)),
      );
    }
  }

  /** Returns the files whose content differs from that of the real directory. It must return none, or calls were missed. */
  differences(): readonly string[] {
    const differing: string[] = [];
    for (const [directory, { current }] of this.#directories) {
      for (const [name, entry] of current) {
        const path = join(directory, name);
        // LMDB maps its lock file into memory. The content of this file does not matter after a power cut.
        if (entry === 'directory' || name === 'lock.mdb') continue;
        const real = statSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path) : undefined;
        if (real === undefined || !real.equals(entry.content())) differing.push(path);
      }
    }
    return differing;
  }

  *#left(directory: string, choices: CutChoices): Iterable<readonly [string, Entry]> {
    const { durable, pending } = this.#directory(directory);
    const names = new Map(durable);
    for (const change of pending.slice(0, choices.entries(directory, pending.length))) alter(names, change);
    for (const [name, entry] of names) {
      const path = join(directory, name);
      yield [path, entry];
      if (entry === 'directory') yield* this.#left(path, choices);
    }
  }

  #begin(call: DiskCall): void {
    if (call.kind === 'write') {
      const file = this.#file(call.path);
      file?.write(call.data, call.at ?? file.size);
      if (call.isSynced) this.#beginSync(call);
    } else if (call.kind === 'resize') this.#file(call.path)?.resize(call.bytes);
    else if (call.kind === 'sync') this.#beginSync(call);
  }

  #end(call: DiskCall): void {
    switch (call.kind) {
      case 'write':
        if (call.isSynced) this.#endSync(call);
        return;
      case 'sync':
        this.#endSync(call);
        return;
      case 'open': {
        const file = this.#file(call.path);
        if (file === undefined && call.creates) this.#change(call.path, [[call.path, new FileModel()]]);
        if (call.truncates) this.#file(call.path)?.resize(0);
        return;
      }
      case 'mkdir':
        this.#change(call.path, [[call.path, 'directory']]);
        return;
      case 'unlink':
      case 'rmdir':
        if (this.#entry(call.path) !== undefined) this.#change(call.path, [[call.path, undefined]]);
        return;
      case 'rename':
      case 'link': {
        const entry = this.#entry(call.from);
        // A socket, or another file that is never written, is not part of the model.
        if (entry === undefined) return;
        if (dirname(call.from) !== dirname(call.to)) throw new Error(`${call.from} moves to another directory, which the model has not`);
        this.#change(call.to, [[call.to, entry], ...(call.kind === 'rename' ? [[call.from, undefined] as const] : [])]);
        return;
      }
      case 'resize':
        return;
    }
  }

  #beginSync(call: Extract<DiskCall, { kind: 'sync' | 'write' }>): void {
    const begun = this.#begun.get(call.path) ?? [];
    begun.push(call);
    this.#begun.set(call.path, begun);
    const file = this.#file(call.path);
    if (file !== undefined) {
      const { moment } = file;
      const [from, to] = call.kind === 'write' ? [call.at ?? 0, (call.at ?? 0) + call.data.length] : [];
      this.#syncs.set(call, () => file.settle(moment, from, to));
      return;
    }
    const directory = this.#directories.get(call.path);
    if (directory === undefined) return;
    const last = directory.pending.at(-1);
    this.#syncs.set(call, () => {
      const count = last === undefined ? 0 : directory.pending.indexOf(last) + 1;
      for (const change of directory.pending.slice(0, count)) alter(directory.durable, change);
      directory.pending = directory.pending.slice(count);
    });
  }

  /** The end of a call that was interrupted is another object than its begin, so the oldest begin of its kind counts. */
  #endSync(call: DiskCall & { readonly path: string }): void {
    const begun = this.#begun.get(call.path) ?? [];
    const index = begun.findIndex(
      (each) => each.kind === call.kind && (each.kind !== 'write' || call.kind !== 'write' || each.at === call.at),
    );
    const first = begun[index];
    if (first === undefined) return;
    begun.splice(index, 1);
    this.#syncs.get(first)?.();
    this.#syncs.delete(first);
  }

  #change(path: string, names: readonly (readonly [string, Entry | undefined])[]): void {
    const directory = this.#directory(dirname(path));
    const change = { names: new Map(names.map(([each, entry]) => [each.slice(dirname(path).length + 1), entry])) };
    alter(directory.current, change);
    directory.pending.push(change);
  }

  #file(path: string): FileModel | undefined {
    const entry = this.#entry(path);
    return entry === 'directory' ? undefined : entry;
  }

  #entry(path: string): Entry | undefined {
    const directory = dirname(path);
    return this.#directories.get(directory)?.current.get(path.slice(directory.length + 1));
  }

  #directory(path: string): Directory {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const fresh: Directory = { durable: new Map(), current: new Map(), pending: [] };
    this.#directories.set(path, fresh);
    return fresh;
  }

  #load(path: string): void {
    const { durable, current } = this.#directory(path);
    for (const each of readdirSync(path, { withFileTypes: true })) {
      const entry = each.isDirectory() ? 'directory' : FileModel.durable(readFileSync(join(path, each.name)));
      durable.set(each.name, entry);
      current.set(each.name, entry);
      if (entry === 'directory') this.#load(join(path, each.name));
    }
  }
}

function alter(names: Map<string, Entry>, change: EntryChange): void {
  for (const [name, entry] of change.names) {
    if (entry === undefined) names.delete(name);
    else names.set(name, entry);
  }
}
