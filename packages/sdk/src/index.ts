export * from './exports.js';
export { ChannelReader, ChannelWriter } from './node-channel.js';
export { http, type ISdk, registerWorker } from './node-platform.js';
