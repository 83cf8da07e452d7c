export { ChannelReader, ChannelWriter } from './channels/node-channel.js';
export * from './exports.js';
export { http, type ISdk, registerWorker } from './node/node-platform.js';
