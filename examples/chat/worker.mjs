// The functions of the chat. Every peer of the engine can call them. They run in this process; the engine stores the messages and sends
// them to subscribers.
import { randomUUID } from 'node:crypto';
import { registerWorker } from 'iii-sdk';

const STREAM = 'chat';
const MOST_TEXT = 2_000;

/** Connects to the engine and registers the functions of the chat. */
export function startChat(engineUrl = process.env.III_URL ?? 'ws://127.0.0.1:49134') {
  const iii = registerWorker(engineUrl, { workerName: 'chat' });
  const call = (function_id, payload) => iii.trigger({ function_id, payload });

  iii.registerFunction('chat::post', async ({ room, author, text }) => {
    if (typeof text !== 'string' || text === '' || text.length > MOST_TEXT) throw new Error(`text must have 1 to ${MOST_TEXT} characters`);
    const message = { id: randomUUID(), author: String(author ?? 'somebody').slice(0, 80), text, at: Date.now() };
    // All subscribers of the room get a `create` as soon as the message is on the disk.
    await call('stream::set', { stream_name: STREAM, group_id: room, item_id: message.id, data: message });
    return message;
  });

  iii.registerFunction('chat::list', ({ room }) => call('stream::list', { stream_name: STREAM, group_id: room }));

  iii.registerFunction('chat::delete', async ({ room, id }) => {
    const { old_value } = await call('stream::delete', { stream_name: STREAM, group_id: room, item_id: id });
    return { deleted: old_value !== null };
  });

  // The event goes to all subscribers and is not stored. Use events for data that nobody needs a moment later.
  iii.registerFunction('chat::typing', ({ room, author }) =>
    call('stream::send', { stream_name: STREAM, group_id: room, type: 'typing', data: { author } }),
  );

  return iii;
}
