// The chat on the official SDK for Node.
import { registerWorker } from 'iii-sdk';
import { startChat } from './chat.js';

const iii = registerWorker(process.env.III_URL ?? 'ws://127.0.0.1:49134', { workerName: 'chat-and-presence' });
iii.createStream('presence', startChat(iii));
