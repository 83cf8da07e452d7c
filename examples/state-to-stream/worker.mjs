// A state change sends a stream event. A program that writes an order into state does not know the subscribers. This worker gets the change
// and keeps the group `board` of the stream `orders` as a public view of the scope `orders`.
import { registerWorker } from '@rivulet/sdk';

const SCOPE = 'orders';
const BOARD = { stream_name: 'orders', group_id: 'board' };

const iii = registerWorker(process.env.III_URL ?? 'ws://127.0.0.1:49134', { workerName: 'orders' });
const call = (function_id, payload) => iii.trigger({ function_id, payload });

// The engine calls this function once for each change of an order, in the order of the commits, one call after another. The function
// returns when the stream has the change. So the next change of the same order can't overtake it.
iii.registerFunction('orders::publish', async ({ event_type, key, old_value, new_value }) => {
  if (event_type === 'state:deleted') {
    await call('stream::delete', { ...BOARD, item_id: key });
    return;
  }
  // Internal members stay in state. Subscribers get only the public ones.
  const { status, total } = new_value;
  await call('stream::set', { ...BOARD, item_id: key, data: { id: key, status, total } });
  // The event goes to the current subscribers and is not stored. A later subscriber gets only the board.
  if (old_value !== null && old_value.status !== status) {
    await call('stream::send', { ...BOARD, id: key, type: 'status-changed', data: { id: key, from: old_value.status, to: status } });
  }
});

iii.registerTrigger({ type: 'state', function_id: 'orders::publish', config: { scope: SCOPE } });

// The engine handles the frames of a connection in order. So an answer to this call proves that the trigger is bound.
await call('engine::health::check', {});
console.log('orders are published');

process.once('SIGTERM', () => process.exit(0));
