// A program that watches one group with the official Node client and does nothing about errors, as programs of its users do.
import { Stream } from '@motiadev/stream-client-node';

const group = new Stream(process.argv[2] ?? '').subscribeGroup('chat', 'room-1');
group.addChangeListener((items) => process.stdout.write(`${JSON.stringify(items)}\n`));
