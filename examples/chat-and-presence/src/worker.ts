// The chat on Rivulet's SDK. It differs from worker-iii.ts only in the import.
import { registerWorker } from '@rivulet/sdk';
import { startChat } from './chat.js';

const iii = registerWorker(process.env.III_URL ?? 'ws://127.0.0.1:49134', { workerName: 'chat-and-presence' });
iii.createStream('presence', startChat(iii));
