// Writes an order into state: `node examples/state-to-stream/order.mjs ID STATUS`. Without a status it deletes the order.
import { registerWorker } from '@rivulet/sdk';

const [key = 'o1', status] = process.argv.slice(2);
const iii = registerWorker(process.env.III_URL ?? 'ws://127.0.0.1:49134', { workerName: 'order-desk' });
const ref = { scope: 'orders', key };
const value = { status, total: 1999, card: 'never shown' };
const written =
  status === undefined
    ? await iii.trigger({ function_id: 'state::delete', payload: ref })
    : await iii.trigger({ function_id: 'state::set', payload: { ...ref, value } });
console.log(written);
process.exit();
