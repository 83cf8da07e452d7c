// The functions of the board. Pages call them over the connection on which they watch. The engine checks the token of the page and says who
// calls; the functions decide whether the call is right.
import { InvocationError, registerWorker, stream } from '@rivulet/sdk';

const STREAM = 'board';
const GROUP = 'main';
const COLUMNS = ['todo', 'doing', 'done'];
const MOST_TITLE = 200;
const MOST_ATTEMPTS = 10;

/** Connects to the engine and registers the functions. Returns the worker. */
export function startWorker(engineUrl) {
  const worker = registerWorker(engineUrl, { workerName: 'board', reconnectionConfig: { maxDelayMs: 2_000 } });
  const cards = stream(worker);

  worker.registerFunction('board::add', async ({ id, title, column, rank }, _metadata, { caller }) => {
    const card = { id: readId(id), title: readTitle(title), ...readPlace(column, rank), by: authorOf(caller), at: Date.now() };
    // A repeated call has the same key, so a card that was deleted meanwhile does not come back.
    const answer = await cards.set(STREAM, GROUP, card.id, card, { ifAbsent: true, ...keyOf(caller) });
    if ('conflict' in answer) refuse('CARD_EXISTS', 'there is a card with this id');
  });

  worker.registerFunction('board::edit', async ({ id, title }, _metadata, { caller }) => {
    await change(readId(id), [{ type: 'merge', value: { title: readTitle(title), by: authorOf(caller) } }], caller);
  });

  worker.registerFunction('board::move', async ({ id, column, rank }, _metadata, { caller }) => {
    // Only the place changes. So a move and an edit at the same time both take effect.
    await change(readId(id), [{ type: 'merge', value: readPlace(column, rank) }], caller);
  });

  worker.registerFunction('board::remove', async ({ id }, _metadata, { caller }) => {
    await cards.delete(STREAM, GROUP, readId(id), keyOf(caller));
  });

  /** Changes a card that exists. Without the condition, a change after a delete would make a card without a title. */
  async function change(id, ops, caller) {
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      const { version } = await cards.getVersioned(STREAM, GROUP, id);
      if (version === null) refuse('CARD_GONE', 'somebody has deleted this card');
      const answer = await cards.update(STREAM, GROUP, id, ops, { ifVersion: version, ...keyOf(caller, attempt) });
      if (!('conflict' in answer)) return;
    }
    refuse('BUSY', 'too many people change this card; try again');
  }

  // Presence: whoever joins the group `here` leases an item, which ends with the connection. The name comes from the token. Pages can't
  // call this function, because rivulet.yaml exposes only `board::*`.
  worker.registerFunction('here::joined', ({ id, identity, context }) =>
    id ? {} : { lease: { item_id: identity, data: { id: identity, ...nameOf(context) }, grace_ms: 3_000 } },
  );
  worker.registerTrigger({ type: 'stream:join', function_id: 'here::joined', config: { stream_name: 'here' } });

  return worker;
}

/** Fills an empty board with the first cards. */
export async function fillBoard(worker) {
  const cards = stream(worker);
  if ((await cards.list(STREAM, GROUP)).length > 0) return;
  const by = { name: 'Rivulet', color: 'slate' };
  const writes = FIRST_CARDS.map(([column, title], index) => {
    const id = `first-${index}`;
    return { type: 'set', itemId: id, data: { id, title, column, rank: index, by, at: Date.now() }, ifAbsent: true };
  });
  await cards.batch(STREAM, GROUP, writes);
}

const FIRST_CARDS = [
  ['todo', 'Drag this card to another column'],
  ['todo', 'Open this page in a second window, as somebody else'],
  ['todo', 'Edit a card and watch the other window'],
  ['doing', 'Write a title of more than 200 characters: the worker refuses it, and the card goes back'],
  ['doing', 'Type “kill” in the terminal, move some cards, then type “start”'],
  ['done', 'Start the engine, the worker and the web server with npm start'],
];

function readId(id) {
  return typeof id === 'string' && /^[\w-]{1,64}$/.test(id) ? id : refuse('ID_WRONG', 'an id has 1 to 64 letters, digits, _ and -');
}

function readTitle(title) {
  const text = typeof title === 'string' ? title.trim() : '';
  if (text === '') refuse('TITLE_EMPTY', 'a card needs a title');
  if (text.length > MOST_TITLE) refuse('TITLE_TOO_LONG', `a title has at most ${MOST_TITLE} characters, and this one has ${text.length}`);
  return text;
}

function readPlace(column, rank) {
  if (!COLUMNS.includes(column)) refuse('COLUMN_UNKNOWN', `a column is one of ${COLUMNS.join(', ')}`);
  if (!Number.isFinite(rank)) refuse('RANK_WRONG', 'a rank is a number');
  return { column, rank };
}

/** Only pages have a login. Other workers may call these functions too, and have none. */
function authorOf(caller) {
  return caller.kind === 'page' ? nameOf(caller.context) : { name: 'A worker', color: 'slate' };
}

const nameOf = ({ name, color }) => ({ name, color });

/** The key of the call for one of its writes. The engine remembers a key with its answer, so another attempt needs another key. */
const keyOf = ({ idempotency_key: key }, attempt = 1) => (key === undefined ? {} : { idempotencyKey: `${key}:${attempt}` });

/** The caller gets this code and message. An error of any other kind would reach it without them. */
function refuse(code, message) {
  throw new InvocationError({ code, message });
}
