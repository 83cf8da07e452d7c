import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';

/** Starts an engine and a worker that writes messages of the stream `chat`. */
export async function startChatEngine() {
  const { streamUrl, workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  const call = (id: string, group_id: string, more: object) => worker.call(id, { stream_name: 'chat', group_id, ...more });
  return {
    streamUrl,
    worker,
    set: (group: string, item_id: string, text: string) => call('stream::set', group, { item_id, data: { id: item_id, text } }),
    remove: (group: string, item_id: string) => call('stream::delete', group, { item_id }),
    say: (group: string, type: string) => call('stream::send', group, { type, data: null }),
  };
}
