// A state change pushes a stream event. Whoever writes an order into state need not know that anybody watches it: this worker reacts to
// the change and keeps the stream `orders`, group `board`, as the public face of the scope `orders`.
import { registerWorker } from '@rivulet/sdk';

const SCOPE = 'orders';
const BOARD = { stream_name: 'orders', group_id: 'board' };

const iii = registerWorker(process.env.III_URL ?? 'ws://127.0.0.1:49134', { workerName: 'orders' });
const call = (function_id, payload) => iii.trigger({ function_id, payload });

// Runs once for each change of an order, in the order of its commits, one after another. It answers when the stream has the change: so
// the next one of the same order can't overtake it.
iii.registerFunction('orders::publish', async ({ event_type, key, old_value, new_value }) => {
  if (event_type === 'state:deleted') {
    await call('stream::delete', { ...BOARD, item_id: key });
    return;
  }
  // What is internal stays in state; those who watch get what is meant for them.
  const { status, total } = new_value;
  await call('stream::set', { ...BOARD, item_id: key, data: { id: key, status, total } });
  // An event is pushed and not stored: who joins later sees the board, not what led to it.
  if (old_value !== null && old_value.status !== status) {
    await call('stream::send', { ...BOARD, id: key, type: 'status-changed', data: { id: key, from: old_value.status, to: status } });
  }
});

iii.registerTrigger({ type: 'state', function_id: 'orders::publish', config: { scope: SCOPE } });

// The frames of a connection take effect in order: an answer to this call means that the trigger is bound.
await call('engine::health::check', {});
console.log('orders are published');

process.once('SIGTERM', () => process.exit(0));
