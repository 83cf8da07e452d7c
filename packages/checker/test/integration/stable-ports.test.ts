import { stablePorts } from '@rivulet/testkit/engines/stable-ports';
import { expect, test } from 'vitest';

test('a port belongs to the process that got it, though nothing listens on it yet', async () => {
  const { port } = await stablePorts(['port']);
  await expect(stablePorts(['port'], { from: port, to: port + 1 })).rejects.toThrow(`no free port from ${port} to ${port + 1}`);
});
