import { expect, it } from 'vitest';
import { WhyView, type WhyViewOptions } from '../../src/stream/why-view.js';

it('the changes of four groups are read at the same time, and the others wait', async () => {
  let open = 0;
  let most = 0;
  const changes = async () => {
    most = Math.max(most, ++open);
    return {
      kind: 'changes',
      chunks: async function* () {
        await Promise.resolve();
        yield [];
      },
      close: () => open--,
    };
  };
  const get = async () => ({ value: undefined, position: { epoch: 'e1', offset: 9 } });
  const view = new WhyView({ store: { get, changes } } as unknown as WhyViewOptions);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => view.newestOf({ stream: 'chat', group: `g${n}` }, 'm1')));
  expect(answers).toEqual(Array.from({ length: 20 }, () => ({ kind: 'never', epoch: 'e1' })));
  expect({ most, open }).toEqual({ most: 4, open: 0 });
});
