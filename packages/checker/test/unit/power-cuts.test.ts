import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CallReader, type DiskCall } from '../../src/power-cuts/disk-calls.js';
import { DiskModel } from '../../src/power-cuts/disk-model.js';
import { FileModel } from '../../src/power-cuts/file-model.js';

const hex = (text: string) => [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
const FILE = `17<${hex('/r/d')}>`;

describe('the calls of strace', () => {
  const read = (...lines: readonly string[]) => {
    const reader = new CallReader('/r');
    return lines.flatMap((line) => reader.read(line));
  };

  it('are those of files below the directory', () => {
    const open = `7 openat(AT_FDCWD<${hex('/')}>, "${hex('/r/d')}", O_WRONLY|O_CREAT|O_DSYNC, 0600) = ${FILE}`;
    expect(read(open, `7 openat(AT_FDCWD<${hex('/')}>, "${hex('/x')}", O_RDONLY) = 18<${hex('/x')}>`)).toMatchObject([
      { stage: 'begin' },
      { stage: 'end', call: { kind: 'open', path: '/r/d', creates: true, truncates: false } },
    ]);
    expect(read(open, `8 pwrite64(${FILE}, "${hex('ab')}", 2, 4096) = 2`).at(-1)?.call).toEqual({
      kind: 'write',
      path: '/r/d',
      data: Buffer.from('ab'),
      at: 4_096,
      isSynced: true,
    });
    expect(read(open, `7 rename("${hex('/r/d')}", "${hex('/r/e')}") = 0`).at(-1)?.call).toEqual({
      kind: 'rename',
      from: '/r/d',
      to: '/r/e',
    });
    expect(read(`7 unlink("${hex('/r/d')}") = -1 ENOENT (No such file or directory)`)).toEqual([]);
  });

  it('continue where a descriptor stands', () => {
    const writes = read(
      `7 open("${hex('/r/d')}", O_WRONLY) = ${FILE}`,
      `7 write(${FILE}, "${hex('abc')}", 3) = 3`,
      `7 writev(${FILE}, [{iov_base="${hex('d')}", iov_len=1}, {iov_base="${hex('ef')}", iov_len=2}], 2) = 3`,
      `7 lseek(${FILE}, 512, SEEK_SET) = 512`,
      `7 write(${FILE}, "${hex('g')}", 1) = 1`,
    ).filter(({ stage, call }) => stage === 'end' && call.kind === 'write');
    expect(writes.map(({ call }) => call.kind === 'write' && [call.at, call.data.toString()])).toEqual([
      [0, 'abc'],
      [3, 'def'],
      [512, 'g'],
    ]);
  });

  it('may be interrupted', () => {
    expect(
      read(`7 fdatasync(${FILE} <unfinished ...>`, `8 pwrite64(${FILE}, "${hex('x')}", 1, 0) = 1`, '7 <... fdatasync resumed>) = 0').map(
        ({ stage, call }) => `${stage} ${call.kind}`,
      ),
    ).toEqual(['begin sync', 'begin write', 'end write', 'end sync']);
  });

  it('may have no end, because the program was killed in them', () => {
    const reader = new CallReader('/r');
    const write = `7 pwrite64(${FILE}, "${hex('x')}", 1, 0`;
    const events = [`${write}) = ? <unavailable>`, `8${write.slice(1)} <unfinished ...>`, '8 <... pwrite64 resumed>) = ?'].flatMap((line) =>
      reader.read(line),
    );
    expect(events.map(({ stage }) => stage)).toEqual(['begin', 'begin']);
    expect([...reader.unfinished]).toEqual(events);
  });

  it('may be renames of which a killed program does not know whether they were executed', () => {
    const reader = new CallReader('/r');
    const rename = `rename("${hex('/r/a')}", "${hex('/r/b')}"`;
    const lines = [
      `6 ${rename} <unfinished ...>`,
      '6 <... rename resumed>) = 0',
      `7 ${rename}) = ?`,
      `8 ${rename} <unfinished ...>`,
      '8 <... rename resumed>) = ?',
    ];
    expect(lines.flatMap((line) => reader.read(line)).map(({ stage }) => stage)).toEqual(['end']);
    expect(reader.unfinishedRenames).toEqual([7, 8].map(() => ({ kind: 'rename', from: '/r/a', to: '/r/b' })));
  });

  it('may write less than they were given', () => {
    const [, end] = read(`7 pwrite64(${FILE}, "${hex('xy')}", 2, 0) = 1`);
    expect(end?.call).toMatchObject({ data: Buffer.from('x') });
  });

  it('fail when the model does not know them', () => {
    expect(() => read(`7 fallocate(${FILE}, 0, 0, 4096) = 0`)).toThrow('fallocate');
  });
});

describe('a file after a power cut', () => {
  const written = () => {
    const file = FileModel.durable(Buffer.from('a'.repeat(1_024)));
    file.write(Buffer.from('b'.repeat(1_024)), 0);
    file.write(Buffer.from('c'.repeat(512)), 512);
    return file;
  };
  const letters = (content: Buffer) => content.toString().replaceAll(/(.)\1*/g, '$1');
  const after = (file: FileModel, ...versions: readonly number[]) =>
    letters(
      file.afterCut(
        (sector) => versions[sector] ?? 0,
        () => 0,
      ),
    );

  it('has any version of each sector that was written after the last sync', () => {
    expect(after(written(), 0, 0)).toBe('a');
    expect(after(written(), 1, 0)).toBe('ba');
    expect(after(written(), 1, 1)).toBe('b');
    expect(after(written(), 0, 2)).toBe('ac');
  });

  it('has at least what a sync has put on the disk', () => {
    const file = written();
    const { moment } = file;
    file.write(Buffer.from('d'.repeat(512)), 0);
    file.settle(moment);
    expect(after(file, 0, 0)).toBe('bc');
    expect(after(file, 1, 0)).toBe('dc');
    const part = written();
    part.settle(part.moment, 512, 1_024);
    expect(after(part, 0, 0)).toBe('ac');
  });

  it('may keep its old size, and has zeros where a new size came without its content', () => {
    const file = FileModel.durable(Buffer.from('a'.repeat(512)));
    file.write(Buffer.from('b'.repeat(600)), 512);
    expect(
      file.afterCut(
        () => 1,
        () => 0,
      ).length,
    ).toBe(512);
    expect(
      letters(
        file.afterCut(
          (sector) => (sector === 2 ? 1 : 0),
          () => 1,
        ),
      ),
    ).toBe('a\0b');
  });
});

describe('a directory after a power cut', () => {
  const root = mkdtempSync(join(tmpdir(), 'rivulet-disk-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  /** Returns the files that are left, with as many unsynced changes of the directory as `entries`. */
  const left = (entries: number, ...calls: readonly DiskCall[]) => {
    const [directory, image] = ['data-', 'image-'].map((name) => mkdtempSync(join(root, name))) as [string, string];
    writeFileSync(join(directory, 'old'), 'old');
    const disk = new DiskModel(directory);
    const at = (name: string) => join(directory, name);
    for (const call of calls) {
      const placed = 'path' in call ? { ...call, path: at(call.path) } : { ...call, from: at(call.from), to: at(call.to) };
      for (const stage of ['begin', 'end'] as const) disk.apply({ stage, call: placed });
    }
    disk.writeImage(image, { sector: () => () => 0, sizes: () => 0, entries: (_directory, pending) => Math.min(entries, pending) });
    return Object.fromEntries(readdirSync(image).map((name) => [name, readFileSync(join(image, name), 'utf8')]));
  };
  const create = { kind: 'open', path: 'new', creates: true, truncates: false } as const;
  const write = { kind: 'write', path: 'new', data: Buffer.from('new'), at: 0, isSynced: false } as const;
  const sync = (path: string) => ({ kind: 'sync', path }) as const;
  const rename = { kind: 'rename', from: 'new', to: 'old' } as const;

  it('has new names only as far as they reached the disk', () => {
    expect(left(0, create, write, sync('new'), rename)).toEqual({ old: 'old' });
    expect(left(1, create, write, sync('new'), rename)).toEqual({ old: 'old', new: 'new' });
    expect(left(2, create, write, sync('new'), rename)).toEqual({ old: 'new' });
    expect(left(0, create, write, sync('new'), rename, sync('.'))).toEqual({ old: 'new' });
  });

  it('may have a renamed file without its content', () => {
    expect(left(2, create, write, rename)).toEqual({ old: '' });
  });

  it('has a deleted file until the directory was synced', () => {
    expect(left(0, { kind: 'unlink', path: 'old' })).toEqual({ old: 'old' });
    expect(left(0, { kind: 'unlink', path: 'old' }, sync('.'))).toEqual({});
  });
});
