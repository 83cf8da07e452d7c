import type { ChaosProxy } from '@rivulet/testkit/links/chaos-proxy';
import type { Random } from '@rivulet/testkit/random';
import type { NemesisVerb } from '../history/op.js';
import type { EngineProcess } from './engine-process.js';

export interface Disturbed {
  readonly random: Random;
  readonly engine: EngineProcess;
  readonly proxy: ChaosProxy;
  readonly nemesis: (verb: NemesisVerb, on: string, how: string) => void;
}

/** Makes one fault that the seed chooses. The fault stays until it is healed, except that a killed or paused engine runs again. */
export async function disturb({ random, engine, proxy, nemesis }: Disturbed): Promise<void> {
  const links = [...proxy.links];
  const link = links.length > 0 && random.chance(0.8) ? random.pick(links) : undefined;
  const draw = random.below(100);
  if (draw < 30) {
    nemesis('kill-engine', '', 'SIGKILL');
    await engine.kill();
    await pause(random.between(0, 100));
    nemesis('start-engine', '', '');
    await engine.start();
  } else if (draw < 38) {
    nemesis('pause', '', 'SIGSTOP');
    engine.signal('SIGSTOP');
    await pause(random.between(50, 400));
    nemesis('resume', '', 'SIGCONT');
    engine.signal('SIGCONT');
  } else if (draw < 48) proxy.latency(random.between(0, 60), random.between(0, 30), link);
  else if (draw < 56) proxy.bandwidth(random.between(2_000, 200_000), link);
  else if (draw < 62) proxy.slice(random.between(1, 200), link);
  else if (draw < 72) proxy.blackhole(random.pick(['down', 'up']), link ?? random.pick(links));
  else if (draw < 84) proxy.reset(link);
  else if (draw < 92) proxy.cutAfter(random.between(1, 5_000), link);
  else if (draw < 95) {
    proxy.refuse();
    await pause(random.between(50, 300));
    proxy.heal();
  } else proxy.heal();
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
