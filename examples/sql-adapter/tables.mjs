import sqlite from 'node-sqlite3-wasm';

/**
 * Items and tombstones are rows of one table; a row with `deleted_at` is a tombstone. `heads` has the position of each group. `floor` is
 * the offset of the newest tombstone that was removed, `live` the number of items.
 */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS heads (
    stream TEXT NOT NULL, grp TEXT NOT NULL, position INTEGER NOT NULL, timestamp INTEGER NOT NULL, floor INTEGER NOT NULL, live INTEGER NOT NULL,
    PRIMARY KEY (stream, grp)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS items (
    stream TEXT NOT NULL, grp TEXT NOT NULL, item TEXT NOT NULL, data TEXT, value_id TEXT, created INTEGER NOT NULL, changed INTEGER NOT NULL,
    deleted_at INTEGER, PRIMARY KEY (stream, grp, item)
  );
  CREATE UNIQUE INDEX IF NOT EXISTS items_by_change ON items (stream, grp, changed);
  CREATE UNIQUE INDEX IF NOT EXISTS items_by_creation ON items (stream, grp, created) WHERE deleted_at IS NULL;
  CREATE INDEX IF NOT EXISTS tombstones_by_age ON items (deleted_at) WHERE deleted_at IS NOT NULL;
`;

/** All statements. Each is prepared once. */
const STATEMENTS = {
  head: 'SELECT position, timestamp, floor, live FROM heads WHERE stream = ? AND grp = ?',
  putHead:
    'INSERT INTO heads VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET position = excluded.position, timestamp = excluded.timestamp, floor = excluded.floor, live = excluded.live',
  item: 'SELECT item, data, created, changed FROM items WHERE stream = ? AND grp = ? AND item = ? AND deleted_at IS NULL',
  putItem: 'INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  byCreation:
    'SELECT item, data, created, changed FROM items WHERE stream = ? AND grp = ? AND created > ? AND deleted_at IS NULL ORDER BY created LIMIT ?',
  byChange: 'SELECT * FROM items WHERE stream = ? AND grp = ? AND changed > ? ORDER BY changed LIMIT ?',
  groups: 'SELECT grp AS name FROM heads WHERE stream = ? AND live > 0',
  streams: 'SELECT DISTINCT stream AS name FROM heads WHERE live > 0',
  oldTombstones: 'SELECT stream, grp, item, changed FROM items WHERE deleted_at <= ? ORDER BY deleted_at LIMIT ?',
  forget: 'DELETE FROM items WHERE stream = ? AND grp = ? AND item = ?',
  raiseFloor: 'UPDATE heads SET floor = max(floor, ?) WHERE stream = ? AND grp = ?',
};

/**
 * @typedef {import('node-sqlite3-wasm').Database} Database
 * @typedef {import('node-sqlite3-wasm').Statement} Statement
 * @typedef {{ [K in keyof typeof STATEMENTS]: Statement }} Statements
 * @typedef {{ position: number, timestamp: number, floor: number, live: number }} Head
 * @typedef {import('@rivulet/engine/store').StoredItem} StoredItem
 * @typedef {{ item: string, data: string | null, value_id: string | null, created: number, changed: number, deleted_at: number | null }}
 * Row
 */

/** The open database. It reads and writes rows and knows no rules of the store. All methods are synchronous. */
export class Tables {
  /** @type {Database} */
  #database;
  /** @type {Statements} */
  #prepared;
  /** The epoch. It names one unbroken history. */
  epoch;

  /** @param {string} file @param {number} maxBytes a write that needs more fails @param {string} newEpoch taken when the database is new */
  constructor(file, maxBytes, newEpoch) {
    this.#database = new sqlite.Database(file);
    try {
      // With a rollback journal, this build of SQLite does not undo a transaction that a kill interrupted. With a write-ahead log it does,
      // in exclusive mode.
      this.#database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
      const [size] = this.#database.all('PRAGMA page_size');
      const { page_size: pageBytes } = /** @type {{ page_size: number }} */ (size);
      this.#database.all(`PRAGMA max_page_count = ${Math.floor(maxBytes / pageBytes)}`);
      if (this.#database.get('PRAGMA journal_mode')?.journal_mode !== 'wal') throw new Error(`${file} can't keep a write-ahead log`);
      this.#database.exec(SCHEMA);
      this.#database.run("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", [newEpoch]);
      const [row] = this.#database.all("SELECT value FROM meta WHERE name = 'epoch'");
      this.epoch = /** @type {{ value: string }} */ (row).value;
      const prepared = Object.entries(STATEMENTS).map(([name, sql]) => [name, this.#database.prepare(sql)]);
      this.#prepared = /** @type {Statements} */ (Object.fromEntries(prepared));
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /**
   * Runs `run` as one transaction. When it returns, all of its writes are on the disk; otherwise none.
   * @template T
   * @param {() => T} run
   * @returns {T}
   */
  transaction(run) {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = run();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /** @param {keyof typeof STATEMENTS} name @param {(string | number | null)[]} values */
  run(name, values) {
    this.#use(name, (statement) => statement.run(values));
  }

  /** @param {string} stream @param {string} group @returns {Head | undefined} */
  head(stream, group) {
    return this.all('head', [stream, group])[0];
  }

  /** @param {string} stream @param {string} group @param {string} item @returns {StoredItem | undefined} */
  item(stream, group, item) {
    return this.all('item', [stream, group, item])[0];
  }

  /**
   * Returns all rows at once, so that no statement stays open.
   * @param {keyof typeof STATEMENTS} name
   * @param {(string | number)[]} values
   * @returns {any[]}
   */
  all(name, values) {
    return this.#use(name, (statement) => statement.all(values));
  }

  /** @template T @param {keyof typeof STATEMENTS} name @param {(statement: Statement) => T} use @returns {T} */
  #use(name, use) {
    try {
      return use(this.#prepared[name]);
    } catch (error) {
      // A statement that failed reports the error again at its next use, so it is replaced.
      discard(this.#prepared[name]);
      this.#prepared[name] = this.#database.prepare(STATEMENTS[name]);
      throw error;
    }
  }

  close() {
    for (const statement of Object.values(this.#prepared)) statement.finalize();
    this.#database.close();
  }
}

/** Ends a statement. Its end repeats an error that is known already. @param {Statement} statement */
function discard(statement) {
  try {
    statement.finalize();
  } catch {}
}
