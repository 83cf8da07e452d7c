// This program watches one group with the official Node client. It handles no errors, as programs of users often do.
import { Stream } from '@motiadev/stream-client-node';

const group = new Stream(process.argv[2] ?? '').subscribeGroup('chat', 'room-1');
group.addChangeListener((items) => process.stdout.write(`${JSON.stringify(items)}\n`));
